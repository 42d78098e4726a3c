import { describe, expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import { ReapPace } from "./reap-pace.ts";
import { ManualClock } from "./testing/manual-clock.ts";

function setting(perSecond = 100) {
  const clock = new ManualClock();
  const load = { isBusy: false };
  const pace = new ReapPace({ clock, perSecond, isBusy: () => load.isBusy });
  const { signal } = new AbortController();
  /** Takes a step of so many bytes that lasts so long. @returns when it began */
  const step = async (bytes: number, tookMs: number, count = 1) => {
    await clock.until(pace.turn(signal));
    const beganMs = clock.monotonicMs();
    clock.pass(tookMs);
    pace.done({ bytes, diskMs: tookMs, count });
    return beganMs;
  };
  return { clock, load, pace, step };
}

describe("the reaper's pace", () => {
  test("is no more steps in a second than were configured, and no burst makes up for a pause", async () => {
    const { clock, step } = setting(100);
    const began: number[] = [];
    for (let i = 0; i < 5; i++) began.push(await step(10, 1));
    expect(began).toEqual([0, 10, 20, 30, 40]);
    clock.pass(60_000);
    const after = [await step(10, 1), await step(10, 1)];
    expect(after[1]! - after[0]!).toBe(10);
  });

  test("counts each change of a step", async () => {
    const { step } = setting(100);
    await step(0, 1, 50);
    expect(await step(0, 1)).toBe(500);
  });

  test("is slower behind large files, by their bytes", async () => {
    const { step } = setting(100);
    await step(limits.reapBytesPerSecond, 1);
    expect(await step(10, 1)).toBe(1_000);
  });

  test("rests several times as long as an unlink took, where it took long", async () => {
    const { step } = setting(100);
    await step(10, limits.reapSlowUnlinkMs);
    expect(await step(10, 300)).toBe(limits.reapSlowUnlinkMs);
    const afterMs = limits.reapSlowUnlinkMs + 300 + limits.reapRestFactor * 300;
    expect(await step(10, 1)).toBe(afterMs);
  });

  test("is a tenth while others need the disk, and full again at once when they do not", async () => {
    const { clock, load, pace, step } = setting(100);
    load.isBusy = true;
    const began: number[] = [];
    for (let i = 0; i < 4; i++) began.push(await step(10, 0));
    const gaps = began.slice(1).map((at, i) => at - began[i]!);
    expect(gaps).toEqual([100, 100, 100]);
    const waiting = pace.turn(new AbortController().signal);
    load.isBusy = false;
    const beforeMs = clock.monotonicMs();
    await clock.until(waiting);
    expect(clock.monotonicMs() - beforeMs).toBeLessThanOrEqual(30);
  });

  test("ends at once when the storage stops", async () => {
    const { clock, pace, step } = setting(1);
    await step(10, 0);
    const stopping = new AbortController();
    const turn = pace.turn(stopping.signal).catch((error: unknown) => error);
    stopping.abort(new Error("it stops"));
    expect(String(await turn)).toContain("it stops");
    expect(clock.monotonicMs()).toBe(0);
  });
});
