import { describe, expect, test } from "bun:test";
import type { Clock } from "@dsm/clock";
import { DsmError, limits } from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";

const mayPass = new DsmError("UNREACHABLE", "nobody there");
const willNot = new DsmError("FILE_NOT_FOUND", "no such file");

/** Surroundings whose pauses take no time and are noted. */
function hasty(random = 0) {
  const pausesMs: number[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonicMs: () => 0,
    after(delayMs, ring) {
      pausesMs.push(delayMs);
      queueMicrotask(ring);
      return { cancel: () => {} };
    },
  };
  return { pausesMs, surroundings: { clock, random: () => random } };
}

/** Fails as often as there are errors, then gives its number. */
function failing(...errors: unknown[]) {
  const numbers: number[] = [];
  const attempt = async (number: number) => {
    numbers.push(number);
    if (errors.length > 0) throw errors.shift();
    return number;
  };
  return { numbers, attempt };
}

describe("withAttempts", () => {
  test("tries again with pauses that double, and gives what the last try gave", async () => {
    const { pausesMs, surroundings } = hasty();
    const { attempt } = failing(mayPass, mayPass, mayPass);
    expect(await withAttempts(attempt, { surroundings })).toBe(4);
    const baseMs = limits.clientRetryBaseMs;
    expect(pausesMs).toEqual([baseMs, 2 * baseMs, 4 * baseMs]);
  });

  test("pauses by chance up to twice as long, and never longer than the limit", async () => {
    const { pausesMs, surroundings } = hasty(0.999_999);
    const { attempt } = failing(...Array.from({ length: limits.clientAttemptsMax }, () => mayPass));
    await withAttempts(attempt, { surroundings }).catch(() => {});
    expect(pausesMs[0]).toBeCloseTo(2 * limits.clientRetryBaseMs, 1);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(limits.clientRetryMaxMs);
  });

  test("gives up after the last try with its error", async () => {
    const { surroundings } = hasty();
    const errors = Array.from(
      { length: limits.clientAttemptsMax },
      (_, i) => new DsmError("TIMEOUT", `try ${i + 1}`),
    );
    const { numbers, attempt } = failing(...errors);
    const last = `try ${limits.clientAttemptsMax}`;
    await expect(withAttempts(attempt, { surroundings })).rejects.toThrow(last);
    expect(numbers).toHaveLength(limits.clientAttemptsMax);
  });

  test("does not try again what cannot be mended, or must not be repeated", async () => {
    const { pausesMs, surroundings } = hasty();
    for (const error of [willNot, new TypeError("a bug")]) {
      await expect(withAttempts(failing(error).attempt, { surroundings })).rejects.toBe(error);
    }
    const once = { surroundings, mayRepeat: () => false };
    await expect(withAttempts(failing(mayPass).attempt, once)).rejects.toBe(mayPass);
    expect(pausesMs).toEqual([]);
  });

  test("ends with the signal's reason: before a try, during one, and in a pause", async () => {
    const reason = new Error("the caller left");
    const { surroundings } = hasty();
    const { numbers, attempt } = failing();
    const gone = AbortSignal.abort(reason);
    await expect(withAttempts(attempt, { surroundings, signal: gone })).rejects.toBe(reason);
    expect(numbers).toEqual([]);

    const during = new AbortController();
    const leave = async () => {
      during.abort(reason);
      throw mayPass;
    };
    const options = { surroundings, signal: during.signal };
    await expect(withAttempts(leave, options)).rejects.toBe(reason);

    const pausing = new AbortController();
    const clock = { ...surroundings.clock, after: () => ({ cancel: () => {} }) };
    const endless = { surroundings: { ...surroundings, clock }, signal: pausing.signal };
    const waiting = withAttempts(failing(mayPass).attempt, endless);
    queueMicrotask(() => queueMicrotask(() => pausing.abort(reason)));
    await expect(waiting).rejects.toBe(reason);
  });
});
