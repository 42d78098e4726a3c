import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { expiresAfterOf, expiresAfterText, spanUnits } from "./expires-after.ts";
import { limits } from "./limits.ts";

function read(value: string): number | string | undefined {
  try {
    return expiresAfterOf(new Headers({ "X-Expires-After": value }));
  } catch (error) {
    return error instanceof DsmError ? error.code : String(error);
  }
}

describe("X-Expires-After", () => {
  test("is whole seconds, or a span with its unit", () => {
    expect(expiresAfterOf(new Headers())).toBeUndefined();
    expect(["90", "90s", " 36h ", "7d", "2m", "1500ms", "3650d"].map(read)).toEqual([
      90_000,
      90_000,
      36 * 3_600_000,
      7 * 86_400_000,
      120_000,
      1_500,
      limits.ttlMaxMs,
    ]);
  });

  test("is refused when it is anything else, or out of bounds", () => {
    const wrong = ["", "0", "0s", "999ms", "-1", "1.5", "1e3", "7 d", "7D", "7w", "d", "1, 2"];
    wrong.push("3651d", "315360001", "9".repeat(16), "9".repeat(400), "0x10");
    expect(new Set(wrong.map(read))).toEqual(new Set(["BAD_REQUEST"]));
  });

  test("no text but a span within the bounds is taken", () => {
    const odd = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,18}[a-z]{0,2}$/));
    fc.assert(
      fc.property(odd, (text) => {
        const value = text.replaceAll(/[^\x20-\x7e]/g, "");
        const ttlMs = read(value);
        if (ttlMs === "BAD_REQUEST") return;
        expect(ttlMs).toBeWithin(limits.ttlMinMs, limits.ttlMaxMs + 1);
        const [, digits, unit] = /^(\d+)([a-z]*)$/.exec(value.trim()) ?? [];
        expect(ttlMs).toBe(Number(digits) * (spanUnits.get(unit || "s") ?? Number.NaN));
      }),
    );
  });

  test("reads what it writes", () => {
    const spans = fc.integer({ min: limits.ttlMinMs, max: limits.ttlMaxMs });
    fc.assert(fc.property(spans, (ttlMs) => expect(read(expiresAfterText(ttlMs))).toBe(ttlMs)));
  });
});
