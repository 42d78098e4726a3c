import type { Catalog, Change } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import type { Journal } from "@dsm/journal";
import type { Log } from "@dsm/log";
import { type BlobId, limits } from "@dsm/protocol";
import type { BlobStore } from "./blob-store.ts";
import { abortOf, idOf, isRowOf } from "./commit-group.ts";

interface SettlerOptions {
  readonly journal: Pick<Journal, "append">;
  readonly catalog: Pick<Catalog, "rowsOf">;
  readonly blobs: Pick<BlobStore, "remove">;
  /** Moves the bytes of a blob to lost+found. */
  readonly setAside: (id: BlobId) => Promise<void>;
  readonly log: Log;
  /** Until no statement about a change can come into force any more; limits.doubtSettleMs. */
  readonly settleAfterMs?: number | undefined;
}

interface Doubt {
  readonly change: Change;
  /** By performance.now(). */
  readonly sinceMs: number;
  readonly settled: () => void;
  /** Whose statement this process has sent itself. */
  readonly isOwn: boolean;
  /** Its bytes are garbage where it has no row; those of others may be an acknowledged file's. */
  readonly neverAcknowledged: boolean;
}

/**
 * Finds out what became of changes whose statement got no answer. When the time is over in which
 * a late statement could still come into force, the catalog's word is final: a row is kept, and
 * without one the record in the journal is closed and the blob removed.
 */
export class Settler implements AsyncDisposable {
  readonly #options: SettlerOptions;
  readonly #settleAfterMs: number;
  readonly #timer: Timer;
  #doubts: Doubt[] = [];
  /** A doubt of this life was too much for the memory. */
  #isIncomplete = false;
  #round: Promise<void> | undefined;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#settleAfterMs = options.settleAfterMs ?? limits.doubtSettleMs;
    const everyMs = Math.min(this.#settleAfterMs, limits.doubtRoundMaxMs);
    this.#timer = setInterval(() => this.#startRound(), Math.max(everyMs, 1));
    this.#timer.unref();
  }

  /** How many changes are not settled yet. */
  get pending(): number {
    return this.#doubts.length;
  }

  /** Whether it is known of each change of this life what became of it. */
  get knowsOwnLife(): boolean {
    return !this.#isIncomplete && !this.#doubts.some(({ isOwn }) => isOwn);
  }

  /**
   * What is too much for the memory is left to the next start of this storage, which finds it in
   * the journal.
   */
  add(change: Change): void {
    if (this.#doubts.length >= limits.doubtsMax) {
      this.#isIncomplete = true;
      return;
    }
    const sinceMs = performance.now();
    // Whoever waited for it was told that nobody knows.
    const neverAcknowledged = true;
    this.#doubts.push({ change, sinceMs, settled: () => {}, isOwn: true, neverAcknowledged });
  }

  /** The same for those that an earlier life has left; resolves when all are settled. */
  async settleAll(
    changes: readonly Change[],
    { neverAcknowledged }: { neverAcknowledged: (change: Change) => boolean },
  ): Promise<void> {
    const sinceMs = performance.now();
    const settled = changes.map((change) => {
      const done = Promise.withResolvers<void>();
      this.#doubts.push({
        change,
        sinceMs,
        settled: done.resolve,
        isOwn: false,
        neverAcknowledged: neverAcknowledged(change),
      });
      return done.promise;
    });
    await Promise.all(settled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  #startRound(): void {
    this.#round ??= this.#settleDue().finally(() => (this.#round = undefined));
  }

  async #settleDue(): Promise<void> {
    const beforeMs = performance.now() - this.#settleAfterMs;
    const due = this.#doubts.filter(({ sinceMs }) => sinceMs <= beforeMs);
    for (let start = 0; start < due.length; start += limits.listMax) {
      const page = due.slice(start, start + limits.listMax);
      try {
        await this.#settle(page);
      } catch (err) {
        this.#options.log.warn({ err }, "changes in doubt cannot be settled yet");
        return;
      }
      const gone = new Set(page);
      this.#doubts = this.#doubts.filter((doubt) => !gone.has(doubt));
      for (const { settled } of page) settled();
    }
  }

  async #settle(doubts: readonly Doubt[]): Promise<void> {
    const { catalog, journal, log } = this.#options;
    const changes = doubts.map(({ change }) => change);
    const rows = await catalog.rowsOf([...new Set(changes.map(idOf))]);
    const open = changes.filter((change) => !rows.some((row) => isRowOf(row, change)));
    log.info({ inForce: changes.length - open.length, dropped: open.length }, "doubts settled");
    if (open.length === 0) return;
    crashPoint("settle.looked");
    // A blob that lost once was perhaps tried again as a later version.
    const used = new Set(rows.map((row) => row.id));
    const isOpen = new Set(open);
    const unused = doubts.filter(({ change }) => isOpen.has(change) && !used.has(idOf(change)));
    // Before the abort, which would make garbage of them for fsck.
    await this.#setAside(unused.filter((doubt) => !doubt.neverAcknowledged));
    await journal.append(open.map(abortOf));
    crashPoint("settle.aborted");
    await this.#remove(unused.filter((doubt) => doubt.neverAcknowledged));
  }

  async #setAside(doubts: readonly Doubt[]): Promise<void> {
    for (const { change } of doubts) {
      if (change.kind === "put") await this.#options.setAside(change.file.blobId);
    }
  }

  async #remove(doubts: readonly Doubt[]): Promise<void> {
    for (const { change } of doubts) {
      if (change.kind !== "put") continue;
      await this.#options.blobs.remove(change.file.blobId);
      crashPoint("settle.removed");
    }
  }
}
