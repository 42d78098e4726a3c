import type { Clock } from "@dsm/clock";
import { limits } from "@dsm/protocol";
import { sleep } from "./scrub/pace.ts";

interface ReapPaceOptions {
  readonly clock: Clock;
  /** Steps in a second at most. */
  readonly perSecond: number;
  /** Whether readers and writers need the disk more. */
  readonly isBusy: () => boolean;
}

/** What a step has done. */
interface Step {
  /** Changes or unlinks in it; 1 unless given. */
  readonly count?: number;
  readonly bytes: number;
  /** How long the file system was at work. */
  readonly diskMs: number;
}

/** Of its pace the reaper keeps a tenth when others are busy, so that space comes back some day. */
const busyFactor = 10;
const busyLookMs = 20;

/**
 * When the reaper may take its next step. There is never more than one unlink under way, no more
 * in a second than was configured, and no more bytes than `limits.reapBytesPerSecond`. A large
 * file is a long transaction of its file system, for which the writes of others wait; so behind
 * an unlink that took long the disk rests several times as long.
 */
export class ReapPace {
  readonly #options: ReapPaceOptions;
  #dueMs = -Infinity;
  #stepMs = 0;
  #beganMs = 0;

  constructor(options: ReapPaceOptions) {
    this.#options = options;
  }

  /** Resolves when the next step may begin. @throws the signal's reason when it is aborted */
  async turn(signal: AbortSignal): Promise<void> {
    const { clock, isBusy } = this.#options;
    await sleep(clock, this.#dueMs - clock.monotonicMs(), signal);
    const latestMs = clock.monotonicMs() + (busyFactor - 1) * this.#stepMs;
    while (isBusy() && clock.monotonicMs() < latestMs) {
      await sleep(clock, Math.min(busyLookMs, latestMs - clock.monotonicMs()), signal);
    }
    this.#beganMs = clock.monotonicMs();
  }

  /** To be called at the end of each step. */
  done({ count = 1, bytes, diskMs }: Step): void {
    const { clock, perSecond } = this.#options;
    const shareMs = Math.max(count / perSecond, bytes / limits.reapBytesPerSecond) * 1_000;
    const restMs = diskMs > limits.reapSlowUnlinkMs ? limits.reapRestFactor * diskMs : 0;
    this.#stepMs = Math.max(shareMs, restMs);
    this.#dueMs = Math.max(this.#beganMs + shareMs, clock.monotonicMs() + restMs);
  }
}
