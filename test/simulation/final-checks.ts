import type { Member, TrackerStatus } from "@dsm/protocol";
import type { Life } from "./host.ts";
import { settledMs } from "./reach.ts";
import type { StorageNode } from "./storage-node.ts";
import type { TrackerNode } from "./tracker-node.ts";
import type { World } from "./world.ts";

/**
 * A tracker that has started knows every storage within reach after one heartbeat. Asked whenever
 * one starts in the middle of all faults.
 */
export function watchRestart(world: World, tracker: TrackerNode): void {
  const { life } = tracker;
  if (life === undefined) return;
  const slackMs = 500;
  const beatMs = Math.max(world.setting.heartbeatIntervalMs, 1_000) + slackMs;
  expectComplete(world, tracker, life, {
    afterMs: beatMs,
    sinceMs: life.startedMs - settledMs(world),
  });
  // A beat that was lost before the tracker came back holds up the next one, until it times out.
  // The trouble of a power cut ends in the moment in which the tracker begins.
  const sinceMs = life.startedMs + 0.001;
  expectComplete(world, tracker, life, { afterMs: settledMs(world), sinceMs });
}

/** @param when those without trouble since then must be known after so long */
function expectComplete(
  { schedule, network, storages, figures, witness }: World,
  tracker: TrackerNode,
  life: Life,
  { afterMs, sinceMs }: { readonly afterMs: number; readonly sinceMs: number },
): void {
  schedule.after(afterMs, () => {
    if (tracker.life !== life) return;
    void membersOf(tracker).then((members) => {
      for (const storage of storages) {
        if (!isRunning(storage, sinceMs) || storage.isStopping) continue;
        if (!network.isFine(tracker.host, storage.host, sinceMs)) continue;
        figures.checks++;
        if (members.get(storage.host.name)?.online === true) continue;
        const what = `${tracker.host.name} does not know ${storage.host.name}`;
        witness.accuse(`${what} ${afterMs} ms after it came back`);
      }
    });
  });
}

/** With no fault left, and time to notice, every tracker names exactly the storages that live. */
export async function compareAll(world: World, isExact: boolean): Promise<void> {
  for (const tracker of world.trackers) {
    const members = await membersOf(tracker);
    for (const storage of world.storages) {
      world.figures.checks++;
      const wrong = difference(storage, members.get(storage.host.name), isExact);
      if (wrong === undefined) continue;
      world.witness.accuse(`${tracker.host.name}, all being well, ${wrong} ${storage.host.name}`);
    }
  }
}

function difference(
  storage: StorageNode,
  member: Member | undefined,
  isExact: boolean,
): string | undefined {
  // A storage whose clock was set back waits until its earlier life is silent.
  if (storage.host.wasSet && !isExact) return undefined;
  const isOnline = member?.online === true;
  if (storage.life === undefined) return isExact && isOnline ? "names the dead" : undefined;
  if (!isOnline) return "does not name the live";
  if (member.incarnation !== storage.incarnation) return "shows an earlier life of";
  if (member.draining !== storage.isDraining) return "has a wrong word of the draining of";
  return undefined;
}

function isRunning({ life }: StorageNode, sinceMs: number): boolean {
  return life !== undefined && life.startedMs < sinceMs;
}

async function membersOf(tracker: TrackerNode): Promise<Map<string, Member>> {
  const status: TrackerStatus | undefined = await tracker.status();
  const members = status?.groups.flatMap((group) => group.members) ?? [];
  return new Map(members.map((member) => [member.storageId, member]));
}
