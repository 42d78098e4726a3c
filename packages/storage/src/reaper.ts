import { type Alarm, type Clock, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import { DsmError, limits } from "@dsm/protocol";
import { ReapPace } from "./reap-pace.ts";
import { isDue, type ReapCounts, reapRound, type ReapWork } from "./reap-round.ts";
import type { GroupLease } from "./group-lease.ts";

export interface ReaperOptions extends Omit<ReapWork, "clock"> {
  /** The right to reap, of which a group has one. */
  readonly lease: Pick<GroupLease, "whileHeld">;
  readonly reapIntervalMs: number;
  /** `limits.reapPerSecond` unless given. */
  readonly reapPerSecond?: number | undefined;
  /** Whether readers and writers need the disk more. */
  readonly isBusy: () => boolean;
  readonly onCounts?: (counts: ReapCounts) => void;
  readonly log: Log;
  readonly clock?: Clock;
}

const nothing: ReapCounts = { expired: 0, blobs: 0, bytes: 0 };

/**
 * Gives the space of files back that have expired, were deleted or were replaced. Every member of
 * a group has one; the one that holds the lease works, so the trash is emptied as long as one
 * member lives, and once. The right is no more than a saving: no step does harm when it is done
 * twice.
 */
export class Reaper implements AsyncDisposable {
  readonly #options: ReaperOptions;
  readonly #work: ReapWork;
  readonly #pace: ReapPace;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #alarm: Alarm | undefined;
  #round: Promise<ReapCounts> | undefined;

  constructor(options: ReaperOptions) {
    const { clock = systemClock, isBusy, reapPerSecond = limits.reapPerSecond } = options;
    this.#options = options;
    this.#clock = clock;
    this.#work = { ...options, clock };
    this.#pace = new ReapPace({ clock, perSecond: reapPerSecond, isBusy });
  }

  /** Looks through the trash now and then from now on. */
  start(): void {
    this.#later();
  }

  /** Everything that is due, unless another member is at it. Never rejects. */
  reap(): Promise<ReapCounts> {
    return (this.#round ??= this.#reap().finally(() => (this.#round = undefined)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DsmError("DRAINING", "the storage stops"));
    this.#alarm?.cancel();
    await this.#round;
  }

  #later(): void {
    if (this.#stopping.signal.aborted) return;
    this.#alarm = this.#clock.after(
      this.#options.reapIntervalMs,
      () => void this.reap().then(() => this.#later()),
    );
  }

  async #reap(): Promise<ReapCounts> {
    const { lease, onCounts, log } = this.#options;
    let sum = nothing;
    const count = (more: Partial<ReapCounts>) => {
      const counts = { ...nothing, ...more };
      onCounts?.(counts);
      sum = added(sum, counts);
    };
    try {
      if (await isDue(this.#work)) {
        await lease.whileHeld(this.#stopping.signal, (signal) =>
          reapRound(this.#work, this.#pace, signal, count),
        );
      }
    } catch (err) {
      const isStopping = this.#stopping.signal.aborted;
      if (!isStopping) log.warn({ err }, "trash: round failed, tried again at the next interval");
    }
    if (sum.expired + sum.blobs > 0) log.info(sum, "trash: expired files deleted, blobs unlinked");
    return sum;
  }
}

function added(a: ReapCounts, b: ReapCounts): ReapCounts {
  return { expired: a.expired + b.expired, blobs: a.blobs + b.blobs, bytes: a.bytes + b.bytes };
}
