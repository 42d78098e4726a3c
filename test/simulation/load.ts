import { settledMs } from "./reach.ts";
import type { TrackerNode } from "./tracker-node.ts";
import type { World } from "./world.ts";

/** How often each storage of a group could have been the first one named. */
const turns = 2;

/**
 * The load is spread: with nothing else to do, a tracker sends clients to every storage of a
 * group, whether they come all at once or one for each heartbeat.
 */
export async function checkSpread(world: World, tracker: TrackerNode): Promise<void> {
  const { setting, schedule, random } = world;
  const [assigned] = world.catalog.assignments;
  if (assigned === undefined) return;
  const [user, group] = assigned;
  const able = world.storages.filter(
    (it) => it.group.name === group && it.life !== undefined && !it.isDraining,
  );
  const sleep = (ms: number) => new Promise<void>((resolve) => void schedule.after(ms, resolve));
  // All have beaten since the last client came, so that none of those is counted any more.
  await sleep(settledMs(world));
  for (const isBurst of [true, false]) {
    const firsts = new Map<string, number>(able.map(({ host }) => [host.name, 0]));
    for (let turn = 0; turn < turns * able.length; turn++) {
      const gapMs = isBurst ? 0 : setting.heartbeatIntervalMs * (0.5 + random.fraction());
      await sleep(gapMs);
      const location = await tracker.locate({ user, intent: "read" });
      const first = location?.storages[0]?.storageId;
      if (first !== undefined) firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    const shown = [...firsts].map(([name, count]) => `${name}: ${count}`).join(", ");
    const fewest = Math.min(...firsts.values());
    world.witness.trace(() => `${tracker.host.name} sends clients to ${shown}`);
    world.figures.checks++;
    if (able.length === 0 || fewest > 0) continue;
    const manner = isBurst ? "that come at once" : "that come one by one";
    world.witness.accuse(`${tracker.host.name} sends clients ${manner} to ${shown}`);
  }
}
