import { describe, expect, test } from "bun:test";
import { Random } from "../chaos/random.ts";
import { Figures } from "./figures.ts";
import { withoutRealWorld } from "./no-real-world.ts";
import { judgeFailure } from "./reach.ts";
import { Schedule } from "./schedule.ts";
import type { Setting } from "./setting.ts";
import { Witness } from "./witness.ts";
import { World } from "./world.ts";

const calm: Setting = {
  trackers: 1,
  groups: 1,
  storagesPerGroup: 1,
  idServers: 1,
  clients: 1,
  heartbeatIntervalMs: 5_000,
  missedBeats: 3,
  capabilityTtlMs: 60_000,
  leaseIds: 10,
  segmentIds: 100,
  chaosMs: 0,
  faultEveryMs: 0,
  operationEveryMs: 1_000_000,
  lateChance: 0,
};

/** A world in which nothing goes wrong but what the test does. */
class Stage {
  readonly world: World;
  /** The trace, which says what each tracker was asked and said, in the moment of that. */
  readonly lines: string[] = [];
  /** Is called with each line of it. */
  onLine: (line: string) => void = () => {};

  constructor(over: Partial<Setting>) {
    const schedule = new Schedule();
    const witness = new Witness(schedule, (line) => {
      this.lines.push(line);
      this.onLine(line);
    });
    const setting = { ...calm, ...over };
    const random = new Random(7);
    const figures = new Figures();
    this.world = new World({ setting, schedule, witness, random, figures, judge: judgeFailure });
    this.world.start();
  }

  run(ms: number): void {
    const { schedule, witness } = this.world;
    withoutRealWorld(() => schedule.runUntil(schedule.nowMs + ms));
    expect(witness.broken).toBeUndefined();
  }

  /** How many lines hold all of these words. */
  count(...words: string[]): number {
    return this.lines.filter((line) => words.every((word) => line.includes(word))).length;
  }

  breakConnections(from: string, to: string): void {
    for (const connection of this.world.network.connections) {
      const { client, listener } = connection;
      if (client.host.name === from && listener.life.host.name === to) connection.break();
    }
  }
}

describe("a storage", () => {
  test("beats at the tracker's pace, also when the answer to its join was lost", () => {
    const stage = new Stage({ heartbeatIntervalMs: 200 });
    stage.onLine = (line) => {
      if (line.includes("join s1") && stage.count("join s1") === 1) {
        stage.breakConnections("s1", "tracker1");
      }
    };
    stage.run(5_000);
    const before = stage.count("heartbeat s1");
    stage.run(2_000);
    expect(stage.count("join s1")).toBeGreaterThan(1);
    expect(stage.count("heartbeat s1") - before).toBeGreaterThanOrEqual(9);
  });

  test("is known to a tracker after one beat, though that meets a connection long lost", () => {
    const stage = new Stage({});
    stage.run(3_000);
    const [tracker] = stage.world.trackers;
    // As when the power of a host fails: nobody tells those that were connected to it.
    tracker!.host.isDown = true;
    tracker!.kill();
    stage.run(500);
    tracker!.host.isDown = false;
    tracker!.start();
    const before = stage.count("join s1");
    stage.run(5_500);
    expect(stage.count("join s1")).toBe(before + 1);
  });

  test("that leaves does not join behind its leave", () => {
    const stage = new Stage({});
    stage.run(3_000);
    const [tracker] = stage.world.trackers;
    const [storage] = stage.world.storages;
    tracker!.kill();
    tracker!.start();
    // The new tracker says JOIN_FIRST to a beat, and the storage is on its way out by then.
    stage.onLine = (line) => {
      if (line.includes("JOIN_FIRST")) void storage!.stop();
    };
    const before = stage.count("join s1");
    stage.run(30_000);
    expect(stage.count("leave s1")).toBe(1);
    expect(stage.count("join s1")).toBe(before);
  });
});

describe("a client", () => {
  test("lets a storage that hangs rest, and waits for it less and less often", () => {
    const stage = new Stage({ storagesPerGroup: 2, operationEveryMs: 200 });
    const { storages, network, clients } = stage.world;
    stage.run(3_000);
    network.part(clients[0]!.host, storages[0]!.host, false);
    const before = stage.count("c1", "is done");
    stage.run(120_000);
    // It rests for up to 10 s and costs 10 s each time; were it asked as any other, 33 would end.
    expect(stage.count("c1", "is done") - before).toBeGreaterThan(100);
    expect(stage.world.figures.excused).toBe(0);
  });

  test("asks another tracker when all that one names are dead", () => {
    const stage = new Stage({ trackers: 2, storagesPerGroup: 2, operationEveryMs: 400 });
    const { trackers, storages, network, clients } = stage.world;
    const [wrong, right] = trackers;
    const [dead, alive] = storages;
    // One tracker sees one storage, and the other tracker the other one; then the first dies.
    network.part(wrong!.host, alive!.host, false);
    network.part(right!.host, dead!.host, false);
    stage.run(20_000);
    expect(stage.count("c1", "is done")).toBeGreaterThan(10);
    dead!.kill();
    const before = stage.count("c1", "is done");
    // It is named until three beats were missed; a client that believes that gives up in 3 s.
    stage.run(10_000);
    clients[0]!.isLeaving = true;
    stage.run(5_000);
    expect(stage.count("c1", "is done")).toBeGreaterThan(before + 5);
    expect(stage.world.figures.excused).toBe(0);
  });
});
