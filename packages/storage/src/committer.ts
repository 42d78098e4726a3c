import type { Catalog, Change, CommitOutcome } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import type { Journal } from "@dsm/journal";
import { DsmError, limits } from "@dsm/protocol";
import { CatalogStage } from "./catalog-stage.ts";
import { type Abort, abortOf, directoriesOf, passed, type Waiting } from "./commit-group.ts";
import type { GroupSync } from "./sync/group-sync.ts";

/** Told of a file that changed, or may have, before anyone else is. */
export type FileListener = (user: string, fileId: string) => void;

export interface CommitterOptions {
  readonly journal: Journal;
  readonly catalog: Pick<Catalog, "commit">;
  readonly sync: GroupSync;
  /** The most changes that share one sync; limits.commitBatchMax unless given. */
  readonly groupMax?: number | undefined;
  /** How long a change waits for an answer of the catalog; limits.commitWaitMs unless given. */
  readonly waitMs?: number;
  readonly onChanged?: FileListener;
  /** Told of each change whose record may be open in the journal without being in force. */
  readonly onDoubt?: (change: Change) => void;
  /** Waited for before anybody hears that these are in force; never rejects. */
  readonly beforeAnswer?: (inForce: readonly Change[]) => Promise<void>;
}

/**
 * Commits changes in groups: while one group is being synced the next one gathers, and the one
 * before is at the catalog. A group costs one journal write, one sync and one catalog statement,
 * however many uploads are in it.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #groupMax: number;
  readonly #catalogStage: CatalogStage;
  #waiting: Waiting[] = [];
  #aborts: Abort[] = [];
  #running: Promise<void> | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#groupMax = options.groupMax ?? limits.commitBatchMax;
    this.#catalogStage = new CatalogStage({
      ...options,
      groupMax: this.#groupMax,
      waitMs: options.waitMs ?? limits.commitWaitMs,
      onLost: (abort) => this.#abort(abort),
    });
  }

  /**
   * Anything but `in force`: nothing of this change is left.
   * @throws DsmError STORAGE_FAILED, STORAGE_FULL, OVERLOADED or CATALOG_UNAVAILABLE before the
   * catalog was asked, so that the change is certainly not in force; CATALOG_UNAVAILABLE as
   * CommitInDoubt when nobody knows whether it is
   */
  commit(change: Change): Promise<CommitOutcome> {
    if (this.#waiting.length + this.#catalogStage.length >= limits.commitQueueMax) {
      return Promise.reject(overloaded());
    }
    const { promise, resolve, reject } = Promise.withResolvers<CommitOutcome>();
    const cameAtMs = performance.now();
    this.#waiting.push({ change, cameAtMs, askedAtMs: undefined, resolve, reject });
    this.#start();
    return promise;
  }

  get isIdle(): boolean {
    return this.#running === undefined && this.#catalogStage.running === undefined;
  }

  /** Resolves when nothing is on its way any more. */
  async idle(): Promise<void> {
    for (;;) {
      const running = this.#running ?? this.#catalogStage.running;
      if (running === undefined) return;
      await running;
    }
  }

  #abort(abort: Abort): void {
    this.#aborts.push(abort);
    this.#start();
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#aborts.length > 0) {
      // Whoever is ready in this turn of the event loop still joins the group.
      await Promise.resolve();
      const group = this.#waiting.splice(0, this.#groupMax);
      const aborts = this.#aborts.splice(0);
      try {
        await this.#makeDurable(group, aborts);
      } catch (error) {
        this.#failed(group, aborts, error);
        continue;
      }
      for (const { done } of aborts) done();
      this.#catalogStage.take(group);
    }
    // In the same turn in which the lines were seen to be empty, or a late comer would be left.
    this.#running = undefined;
  }

  async #makeDurable(group: readonly Waiting[], aborts: readonly Abort[]): Promise<void> {
    const { journal, sync } = this.#options;
    const changes = group.map((waiting) => waiting.change);
    await journal.write([...aborts.map((abort) => abort.record), ...changes]);
    passed(changes, "journaled");
    if (aborts.length > 0) crashPoint("abort.journaled");
    await sync.sync(journal, directoriesOf(changes));
    passed(changes, "flushed");
    if (aborts.length > 0) crashPoint("abort.flushed");
  }

  /**
   * Nothing of the group is proven to be durable, so nothing of it is acknowledged. Its records
   * may have reached the disk all the same: they are closed as soon as the disk takes an abort.
   */
  #failed(group: readonly Waiting[], aborts: readonly Abort[], error: unknown): void {
    for (const { failed } of aborts) failed(error);
    for (const { change, reject } of group) {
      reject(error);
      const failed = () => this.#options.onDoubt?.(change);
      this.#aborts.push({ record: abortOf(change), done: () => {}, failed });
    }
  }
}

function overloaded(): DsmError {
  const what = `${limits.commitQueueMax} changes wait already to be committed`;
  return new DsmError("OVERLOADED", what, { remedy: "try again in a moment" });
}
