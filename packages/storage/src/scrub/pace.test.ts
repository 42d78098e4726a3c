import { expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import fc from "fast-check";
import { ManualClock } from "../testing/manual-clock.ts";
import { Pace } from "./pace.ts";

const { signal } = new AbortController();
const cost = limits.scrubReadCostBytes;
const rate = 64 * cost;

test("reads follow at the rate, whatever their sizes, and none catches up", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ bytes: fc.nat(2 ** 20), tookMs: fc.nat(300) }), { maxLength: 20 }),
      async (reads) => {
        const clock = new ManualClock();
        const pace = new Pace({ clock, bytesPerSecond: () => rate, isBusy: () => false });
        let earliestMs = 0;
        for (const { bytes, tookMs } of reads) {
          await clock.until(pace.take(bytes, signal));
          expect(clock.now()).toBeCloseTo(earliestMs, 3);
          const shareMs = (Math.max(bytes, cost) / rate) * 1_000;
          // The disk takes its time too; whichever is slower decides.
          clock.pass(tookMs);
          earliestMs = Math.max(clock.now(), earliestMs + shareMs);
        }
      },
    ),
    { numRuns: 30 },
  ));

test("a busy storage still scrubs, at a tenth of the rate", async () => {
  const clock = new ManualClock();
  const pace = new Pace({ clock, bytesPerSecond: () => rate, isBusy: () => true });
  for (let n = 0; n < 64; n++) await clock.until(pace.take(cost, signal));
  expect(clock.now()).toBeGreaterThan(9_000);
  expect(clock.now()).toBeLessThan(10_100);
});

test("who waits goes on when the storage is no longer busy, and stops when it is told to", async () => {
  const clock = new ManualClock();
  let looks = 0;
  const pace = new Pace({ clock, bytesPerSecond: () => rate, isBusy: () => looks++ < 3 });
  await clock.until(pace.take(64 * cost, signal));
  expect(clock.now()).toBe(60);
  const stopping = new AbortController();
  const waiting = pace.take(cost, stopping.signal);
  stopping.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});
