import { expect, test } from "bun:test";
import { systemClock } from "./clock.ts";

test("the clock of this machine rings once, later, unless it is cancelled", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rung: string[] = [];
  const startMs = systemClock.monotonicMs();
  systemClock.after(1, () => rung.push("cancelled")).cancel();
  const alarm = systemClock.after(20, () => {
    rung.push("rung");
    resolve();
  });
  await promise;
  alarm.cancel();
  expect(rung).toEqual(["rung"]);
  // Timers of Bun may be a fraction of a millisecond early.
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(18);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
});
