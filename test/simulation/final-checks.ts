import type { Member, TrackerStatus } from "@dsm/protocol";
import { settledMs } from "./reach.ts";
import type { StorageNode } from "./storage-node.ts";
import type { TrackerNode } from "./tracker-node.ts";
import type { World } from "./world.ts";

/**
 * A tracker that has started and is in touch with a storage knows it after one heartbeat. Asked
 * whenever a tracker starts in the middle of all faults.
 */
export function watchRestart(world: World, tracker: TrackerNode): void {
  const { life } = tracker;
  const { schedule, network, setting, storages } = world;
  if (life === undefined) return;
  const slackMs = 500;
  const beatMs = Math.max(setting.heartbeatIntervalMs, 1_000) + slackMs;
  schedule.after(beatMs, () => {
    if (tracker.life !== life) return;
    void membersOf(tracker).then((members) => {
      for (const storage of storages) {
        // A beat that was lost before the tracker came back holds up the next one.
        const sinceMs = life.startedMs - settledMs(world);
        if (!isRunning(storage, sinceMs) || storage.isStopping) continue;
        if (!network.isFine(tracker.host, storage.host, sinceMs)) continue;
        world.figures.checks++;
        if (members.get(storage.host.name)?.online === true) continue;
        const what = `${tracker.host.name} does not know ${storage.host.name}`;
        world.witness.accuse(`${what} ${beatMs} ms after it came back`);
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
