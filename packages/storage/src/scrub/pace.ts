import type { Clock } from "@dsm/clock";
import { limits } from "@dsm/protocol";

interface PaceOptions {
  readonly clock: Clock;
  readonly bytesPerSecond: () => number;
  /** Whether others need the disk more. */
  readonly isBusy: () => boolean;
}

/** Of its rate a scrub keeps a tenth when others are busy, so that it ends some day. */
const busyFactor = 10;
const busyLookMs = 20;

/** Lets bytes through at a steady rate: no burst makes up for what was slower than that. */
export class Pace {
  readonly #options: PaceOptions;
  #dueMs = -Infinity;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Resolves when so many bytes may be read. @throws the signal's reason when it is aborted */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock, bytesPerSecond, isBusy } = this.#options;
    const shareMs = (Math.max(bytes, limits.scrubReadCostBytes) / bytesPerSecond()) * 1_000;
    await sleep(clock, this.#dueMs - clock.monotonicMs(), signal);
    const latestMs = clock.monotonicMs() + (busyFactor - 1) * shareMs;
    while (isBusy() && clock.monotonicMs() < latestMs) {
      const leftMs = latestMs - clock.monotonicMs();
      await sleep(clock, Math.min(busyLookMs, leftMs), signal);
    }
    this.#dueMs = clock.monotonicMs() + shareMs;
  }
}

/** @throws the signal's reason when it is aborted */
export async function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const alarm = clock.after(ms, resolve);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await promise;
  alarm.cancel();
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
}
