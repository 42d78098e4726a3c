import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Alarm, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import { DsmError, limits } from "@dsm/protocol";
import { type OrphanCounts, removeOrphans } from "./fsck/orphan-round.ts";
import type { FsckOptions } from "./fsck/scope.ts";
import type { GroupLease } from "./group-lease.ts";
import { ReapPace } from "./reap-pace.ts";
import { replaceFile } from "./scrub/replace-file.ts";
import { StillBlobs } from "./still-blobs.ts";

interface OrphanReaperOptions extends FsckOptions {
  /** The right to look, of which a group has one. */
  readonly lease: Pick<GroupLease, "whileHeld">;
  /** `limits.orphanLookMs` unless given, and less only in tests. */
  readonly orphanLookMs?: number | undefined;
  readonly isBusy: () => boolean;
  readonly onCounts: (counts: OrphanCounts) => void;
  readonly log: Log;
}

const nothing: OrphanCounts = { blobs: 0, bytes: 0, left: 0 };
const statePath = "scrub/orphans.json";

/**
 * Gives back the space of uploads that a crash cut off before they had a row. Some member of the
 * group looks once a day, and each time that a storage has begun anew, when what its last life may
 * have left is older than any upload can be. A right of the group keeps two from doing it at once;
 * no step does harm when it is done twice.
 */
export class OrphanReaper implements AsyncDisposable {
  readonly #options: OrphanReaperOptions;
  readonly #stopping = new AbortController();
  readonly #startedAtMs = Date.now();
  readonly #still: StillBlobs;
  #alarm: Alarm | undefined;
  #round: Promise<void> | undefined;

  constructor(options: OrphanReaperOptions) {
    this.#options = options;
    this.#still = new StillBlobs(options.orphanAgeMs ?? limits.orphanAgeMs, systemClock);
  }

  start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#alarm = systemClock.after(this.#options.orphanLookMs ?? limits.orphanLookMs, () => {
      this.#round = this.#look().then(() => this.start());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DsmError("DRAINING", "the storage stops"));
    this.#alarm?.cancel();
    await this.#round;
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { lease, log, onCounts } = this.#options;
    let sum = nothing;
    const count = (more: Partial<OrphanCounts>) => {
      const counts = { ...nothing, ...more };
      onCounts(counts);
      sum = added(sum, counts);
    };
    try {
      if (!(await this.#isDue())) return;
      await lease.whileHeld(this.#stopping.signal, (signal) => this.#work(signal, count));
    } catch (err) {
      if (!this.#stopping.signal.aborted) log.warn({ err }, "orphans: round failed, tried again");
    }
    const { left, ...removed } = sum;
    if (removed.blobs > 0) log.info(removed, "orphans: unlinked what cut off uploads had left");
    if (left > 0) log.warn({ left }, "orphans: blobs without a row are left: see dsm fsck");
  }

  async #work(signal: AbortSignal, onCounts: (counts: Partial<OrphanCounts>) => void) {
    const { root, isBusy } = this.#options;
    const paceOf = (perSecond: number) => new ReapPace({ clock: systemClock, perSecond, isBusy });
    this.#still.begin();
    await removeOrphans({
      ...this.#options,
      signal,
      isStill: (blob) => this.#still.isStill(blob),
      onCounts,
      pace: paceOf(limits.reapPerSecond),
      lookPace: paceOf(limits.orphanLooksPerSecond),
    });
    // Those that were met for the first time are looked at again, and the round ends with them.
    if (this.#still.moving > 0) return;
    await replaceFile(root, statePath, JSON.stringify({ endedAtMs: Date.now() }));
  }

  /** Clocks that differ do no harm: a round comes a little earlier or later. */
  async #isDue(): Promise<boolean> {
    const { orphanAgeMs = limits.orphanAgeMs } = this.#options;
    const nowMs = Date.now();
    const afterStartMs = this.#startedAtMs + orphanAgeMs;
    if (nowMs < afterStartMs) return false;
    const endedAtMs = await this.#endedAtMs();
    return endedAtMs < afterStartMs || nowMs - endedAtMs >= limits.orphanRoundMs;
  }

  /** When a member has looked last; 0 where nobody knows. */
  async #endedAtMs(): Promise<number> {
    try {
      const state: unknown = JSON.parse(
        await readFile(join(this.#options.root, statePath), "utf8"),
      );
      return Number(Object(state).endedAtMs) || 0;
    } catch {
      return 0;
    }
  }
}

function added(a: OrphanCounts, b: OrphanCounts): OrphanCounts {
  return { blobs: a.blobs + b.blobs, bytes: a.bytes + b.bytes, left: a.left + b.left };
}
