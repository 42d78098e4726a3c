import type { Clock } from "@dsm/clock";
import { type BlobId, limits } from "@dsm/protocol";
import type { DiskFile } from "./fsck/disk-files.ts";

interface Seen {
  readonly sizeBytes: number;
  readonly changedAtMs: number;
  /** By the clock of this process, which nobody sets. */
  readonly sinceMs: number;
}

/**
 * Blobs without a row, and since when each of them has not changed before our own eyes. Times of a
 * file come from the clock of the host that wrote it (GlusterFS takes them from the client), and
 * where that is an hour behind an upload under way looks like one that was given up.
 */
export class StillBlobs {
  readonly #afterMs: number;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #before = new Map<BlobId, Seen>();
  #now = new Map<BlobId, Seen>();
  #moving = 0;

  constructor(afterMs: number, clock: Pick<Clock, "monotonicMs">) {
    this.#afterMs = afterMs;
    this.#clock = clock;
  }

  /** Blobs of the round that have yet to be seen for longer. */
  get moving(): number {
    return this.#moving;
  }

  /** To be called when a round begins; what the last one did not meet is forgotten. */
  begin(): void {
    this.#before = this.#now;
    this.#now = new Map();
    this.#moving = 0;
  }

  /** Whether it has been as it is for long enough, now and in the rounds before. */
  isStill({ id, sizeBytes, changedAtMs }: DiskFile): boolean {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#before.get(id);
    const isSame = before?.sizeBytes === sizeBytes && before.changedAtMs === changedAtMs;
    const sinceMs = isSame ? before.sinceMs : nowMs;
    const isStill = nowMs - sinceMs >= this.#afterMs;
    if (!isStill) this.#moving++;
    // The others wait for a round in which these are gone.
    if (this.#now.size < limits.orphansSeenMax) {
      this.#now.set(id, { sizeBytes, changedAtMs, sinceMs });
    }
    return isStill;
  }
}
