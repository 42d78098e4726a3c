import type { Random } from "../chaos/random.ts";
import { settledMs } from "./reach.ts";
import type { StorageNode } from "./storage-node.ts";
import type { TrackerNode } from "./tracker-node.ts";
import type { World } from "./world.ts";

/**
 * An operator asks one tracker to drain a storage, or to end that. When nothing gets into the way
 * between that tracker, the storage and the others, all of them know after a beat.
 */
export function askToDrain(world: World, random: Random): boolean {
  const storage = random.pick(world.storages);
  const tracker = random.pick(world.trackers);
  const draining = random.chance(0.4);
  const isContested = world.trackers.some((other) => other.isWishing(storage.host.name));
  touch(world, storage);
  world.witness.trace(() => `FAULT ${storage.host.name} is to drain: ${draining}`);
  void tracker.drain(storage.host.name, draining).then((isTaken) => {
    if (!isTaken) return;
    touch(world, storage);
    const askedMs = world.schedule.nowMs;
    world.schedule.after(settledMs(world), () => {
      // Another wish waits or has come between, and nobody says which one counts.
      if (isContested || storage.wishedMs > askedMs) return;
      void hasReachedAll(world, { storage, tracker, draining, askedMs });
    });
  });
  return true;
}

interface Wish {
  readonly storage: StorageNode;
  readonly tracker: TrackerNode;
  readonly draining: boolean;
  readonly askedMs: number;
}

async function hasReachedAll(world: World, wish: Wish): Promise<void> {
  const { storage, tracker, draining, askedMs } = wish;
  // What was under way when it was asked may have been in trouble before.
  const sinceMs = askedMs - settledMs(world);
  if (!isInTouch(world, tracker, storage, sinceMs)) return;
  const { name } = storage.host;
  if (storage.isDraining !== draining) {
    return world.witness.accuse(`${name} was never told of the wish of ${tracker.host.name}`);
  }
  for (const other of world.trackers) {
    if (!isInTouch(world, other, storage, sinceMs)) continue;
    const status = await other.status();
    const members = status?.groups.flatMap((group) => group.members);
    const member = members?.find(({ storageId }) => storageId === name);
    world.figures.checks++;
    if (member?.draining === draining) continue;
    world.witness.accuse(`${other.host.name} has not learned that ${name} drains: ${draining}`);
  }
}

/** Both have run since then, and all that they said to each other arrived soon. */
function isInTouch(world: World, tracker: TrackerNode, storage: StorageNode, sinceMs: number) {
  for (const { life } of [tracker, storage]) {
    if (life === undefined || life.startedMs >= sinceMs) return false;
  }
  return !storage.isStopping && world.network.isFine(tracker.host, storage.host, sinceMs);
}

function touch(world: World, storage: StorageNode): void {
  storage.wishedMs = world.schedule.nowMs;
  storage.drainTouchedMs = world.schedule.nowMs;
}
