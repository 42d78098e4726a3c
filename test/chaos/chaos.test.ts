import { describe, expect, test } from "bun:test";
import { mariaDbMissing } from "@dsm/testkit";
import { settings } from "./catalog-server.ts";
import { runChaos } from "./chaos.ts";
import { reportOf } from "./report.ts";

const durationMs = 20_000;
/** Start, healing and the last checks come on top, on a machine that may be busy. */
const timeoutMs = 180_000;

/** A new one each time, and printed: so the runs of all days add up. */
const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;

const skipReasons = { sqlite: undefined, mariadb: mariaDbMissing() };

describe("what is acknowledged is kept, whatever fails meanwhile", () => {
  for (const setting of settings) {
    const missing = skipReasons[setting];
    const why = missing === undefined ? "" : ` (skipped: ${missing})`;
    test.skipIf(missing !== undefined)(
      `${setting}${why}`,
      async () => {
        const { signal } = new AbortController();
        const run = { seed, setting, durationMs, signal };
        const result = await runChaos(run);
        const report = reportOf(run, result);
        console.log(report);
        const { figures } = result;
        expect(figures.violations.length === 0 ? "" : report).toBe("");
        // A run in which nothing happened would prove nothing.
        for (const kind of ["put", "delete", "read", "read a part", "list"]) {
          expect(figures.count("ok", kind)).toBeGreaterThan(0);
        }
        expect(figures.count("ok")).toBeGreaterThan(100);
        expect(figures.faultCount).toBeGreaterThan(5);
      },
      timeoutMs,
    );
  }
});
