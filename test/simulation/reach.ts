import { type ClientNode, type FailedOperation, isOutage } from "./client-node.ts";
import type { StorageNode } from "./storage-node.ts";
import type { TrackerNode } from "./tracker-node.ts";
import type { World } from "./world.ts";

/**
 * A client that asks finds a storage whenever one tracker and one storage of the group are within
 * its reach. So an operation may only fail when there was no such pair all the time, with what
 * these two need themselves.
 */
export function judgeFailure(world: World, client: ClientNode, failed: FailedOperation): void {
  const { error, intent, user } = failed;
  const what = `${client.host.name} could not ${intent} for ${user}: ${error.code}, ${error.message}`;
  if (!isOutage(error)) {
    const mayBeRefused = error.code === "FORBIDDEN" && world.clocksWrongMs >= failed.startMs;
    if (mayBeRefused) world.figures.excused++;
    else world.witness.accuse(what);
    return;
  }
  const pair = pairInReach(world, client, failed);
  if (pair === undefined) world.figures.excused++;
  else world.witness.accuse(`${what}, and had ${pair} since before it asked`);
}

/** After so long without trouble between them, a tracker knows a storage and its state. */
export function settledMs({ setting }: World): number {
  const beatTimeoutMs = 2_000;
  const slackMs = 500;
  return beatTimeoutMs + Math.max(setting.heartbeatIntervalMs, 1_000) + slackMs;
}

function pairInReach(
  world: World,
  client: ClientNode,
  { intent, user, startMs }: FailedOperation,
): string | undefined {
  const { network, catalog, trackers, storages } = world;
  const group = catalog.groupInForce(user);
  const catalogIsFine = ({ host }: { host: ClientNode["host"] }) =>
    !catalog.isDown && catalog.downMs < startMs && network.isFine(host, catalog.host, startMs);
  const mine = storages.filter((storage) => storage.group.name === group);
  for (const tracker of trackers) {
    if (!isInReach(world, client, tracker, startMs) || !catalogIsFine(tracker)) continue;
    for (const storage of mine) {
      if (!isInReach(world, client, storage, startMs)) continue;
      if (!isKnown(world, tracker, storage, startMs)) continue;
      if (intent !== "read") {
        const ids = world.ids.filter((id) => isInReach(world, storage, id, startMs));
        if (!catalogIsFine(storage) || !ids.some(catalogIsFine)) continue;
        if (intent === "write" && hasBeenFull(world, storage, startMs)) continue;
      }
      return `${tracker.host.name} and ${storage.host.name}`;
    }
  }
  return undefined;
}

function isInReach(
  world: World,
  from: Pick<ClientNode, "host">,
  to: Pick<TrackerNode, "host" | "life">,
  sinceMs: number,
): boolean {
  if (to.life === undefined || to.life.startedMs >= sinceMs) return false;
  return world.network.isFine(from.host, to.host, sinceMs);
}

/** Whether the tracker must have named this storage all the time. */
function isKnown(world: World, tracker: TrackerNode, storage: StorageNode, sinceMs: number) {
  // A storage whose clock was set back may look like an earlier life until that is silent.
  const longMs = settledMs(world) + (storage.host.wasSet ? world.patienceMs : 0);
  const knownMs = sinceMs - longMs;
  if (storage.isDraining || storage.drainTouchedMs >= knownMs) return false;
  if (tracker.life === undefined || tracker.life.startedMs >= knownMs) return false;
  return isInReach(world, tracker, storage, knownMs);
}

function hasBeenFull(world: World, { group }: StorageNode, sinceMs: number): boolean {
  return group.isFull || group.fullMs >= sinceMs - settledMs(world);
}
