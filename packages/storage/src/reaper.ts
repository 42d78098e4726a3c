import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import type { BlobStore } from "./blob-store.ts";

export interface ReaperOptions {
  readonly group: string;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly trashGraceMs: number;
  readonly reapIntervalMs: number;
  readonly log: Log;
}

const batchMax = 100;

/**
 * Unlinks blobs whose time in the trash is over. Every member of a group runs one: each step may
 * be done twice without harm, and the trash is emptied as long as one member lives.
 */
export class Reaper implements AsyncDisposable {
  readonly #options: ReaperOptions;
  readonly #stop = new AbortController();
  #round: Promise<void> | undefined;
  readonly #timer: Timer;

  constructor(options: ReaperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#start(), options.reapIntervalMs);
    this.#timer.unref();
  }

  /** One round over everything that is due. @returns how many blobs were removed */
  async reap(): Promise<number> {
    const { group, catalog, blobs, trashGraceMs } = this.#options;
    let removed = 0;
    while (!this.#stop.signal.aborted) {
      const beforeMs = Date.now() - trashGraceMs;
      const due = await catalog.trashed({ group, beforeMs, limit: batchMax });
      for (const blob of due) {
        // The bytes go before the row: a crash between the two is mended by the next round.
        await blobs.remove(blob.blobId);
        await catalog.forgetTrashed(blob);
        removed++;
      }
      if (due.length < batchMax) break;
    }
    return removed;
  }

  #start(): void {
    this.#round ??= this.#reapAndLog().finally(() => (this.#round = undefined));
  }

  async #reapAndLog(): Promise<void> {
    const { log } = this.#options;
    try {
      const removed = await this.reap();
      if (removed > 0) log.info({ removed }, "trash: blobs removed");
    } catch (err) {
      log.warn({ err }, "trash: round failed, tried again at the next interval");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#round;
  }
}
