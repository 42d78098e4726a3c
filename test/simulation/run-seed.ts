import { Random } from "../chaos/random.ts";
import { Faults } from "./faults.ts";
import type { Figures } from "./figures.ts";
import { compareAll, watchRestart } from "./final-checks.ts";
import { checkSpread } from "./load.ts";
import { lateMaxMs } from "./network.ts";
import { withoutRealWorld } from "./no-real-world.ts";
import { judgeFailure, settledMs } from "./reach.ts";
import { Schedule } from "./schedule.ts";
import { drawSetting } from "./setting.ts";
import { Witness } from "./witness.ts";
import { World } from "./world.ts";

export interface Outcome {
  readonly seed: number;
  /** What was promised and not kept, with its time; undefined for a good run. */
  readonly broken: string | undefined;
  /** The same for two runs that are the same. */
  readonly fingerprint: number;
}

/** How long operations that are under way may take to end once all is well. */
const lastOperationsMs = 120_000;
const firstMs = 3_000;

/** One cluster from its start over faults of all kinds to the day after. */
export function runSeed(seed: number, figures: Figures, tell?: (line: string) => void): Outcome {
  const random = new Random(seed);
  const schedule = new Schedule();
  const witness = new Witness(schedule, tell);
  const setting = drawSetting(random.split("setting"));
  witness.trace(() => `SETTING ${JSON.stringify(setting)}`);
  withoutRealWorld(() => {
    const parts = { setting, schedule, witness, figures, judge: judgeFailure };
    live(new World({ ...parts, random: random.split("world") }));
  });
  figures.seeds++;
  figures.events += schedule.events;
  figures.virtualMs += schedule.nowMs;
  return { seed, broken: witness.broken, fingerprint: schedule.fingerprint };
}

function live(world: World): void {
  const { schedule, setting, trackers, clients, random } = world;
  const faults = new Faults(world);
  const runOn = (ms: number) => schedule.runUntil(schedule.nowMs + ms);
  world.onTrackerStart = (tracker) => watchRestart(world, tracker);
  world.start();
  runOn(firstMs);
  faults.begin(schedule.nowMs + setting.chaosMs);
  probe(world);
  runOn(setting.chaosMs);

  world.witness.trace(() => "ALL FAULTS END");
  faults.end();
  // What was late already is the last of the faults.
  runOn(lateMaxMs + settledMs(world));
  compare(world, false);
  runOn(2 * world.patienceMs);
  compare(world, true);

  for (const client of clients) client.isLeaving = true;
  const endMs = schedule.nowMs + lastOperationsMs;
  const isAnyBusy = () => !schedule.stopped && clients.some(({ isBusy }) => isBusy);
  while (isAnyBusy() && schedule.nowMs < endMs) runOn(1_000);
  if (isAnyBusy()) world.witness.accuse("an operation never ends");
  const spread = { isChecked: false };
  check(
    world,
    checkSpread(world, random.pick(trackers)).then(() => (spread.isChecked = true)),
  );
  while (!spread.isChecked && !schedule.stopped) runOn(setting.heartbeatIntervalMs);
}

/** Every now and then trackers are asked for what they know, whether or not a client does so. */
function probe(world: World): void {
  const { schedule, setting, trackers } = world;
  for (const tracker of trackers) check(world, tracker.status());
  schedule.after(setting.heartbeatIntervalMs * 0.7, () => {
    if (!world.network.isQuiet) probe(world);
  });
}

function compare(world: World, isExact: boolean): void {
  check(world, compareAll(world, isExact));
  world.schedule.runUntil(world.schedule.nowMs);
}

/** A check that fails otherwise than by its verdict is a fault of the simulation. */
function check(world: World, checking: Promise<unknown>): void {
  checking.catch((thrown) => world.witness.accuse(`a check failed: ${thrown}`));
}
