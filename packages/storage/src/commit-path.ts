import type { Catalog } from "@dsm/catalog";
import { Journal } from "@dsm/journal";
import type { Log } from "@dsm/log";
import { type BlobId, limits, systemErrorCode } from "@dsm/protocol";
import { AnsweredChanges, forgetAnswers } from "./answered-changes.ts";
import { BlobStore } from "./blob-store.ts";
import { Committer, type FileListener } from "./committer.ts";
import { DiskHealth } from "./disk-health.ts";
import { recordsInDoubt } from "./earlier-lives.ts";
import { setBlobAside } from "./fsck/lost-found.ts";
import { markLifeSettled } from "./settled-parts.ts";
import { Settler } from "./settler.ts";
import type { GroupSync } from "./sync/group-sync.ts";
import { openGroupSync, type SyncMode } from "./sync/open-group-sync.ts";
import { UserJournal } from "./user-journal.ts";

interface Place {
  readonly id: string;
  readonly group: string;
  readonly root: string;
  readonly log: Log;
}

interface DurableOptions extends Place {
  readonly sync?: SyncMode;
  readonly journalPartMaxBytes?: number;
}

/** What a commit is made durable with. */
export interface DurableParts extends AsyncDisposable {
  readonly journal: Journal;
  readonly sync: GroupSync;
  readonly answered: AnsweredChanges;
}

interface CommitPathOptions extends Place {
  readonly catalog: Catalog;
  readonly incarnation: string;
  readonly durable: DurableParts;
  readonly commitGroupMax?: number;
  readonly doubtSettleMs?: number;
  readonly onChanged: FileListener;
  readonly onHealth: () => void;
  /** @throws DsmError STORAGE_FAILED when the group's file system is not there */
  readonly assertMounted: () => Promise<void>;
}

/** @throws DsmError DATA_NOT_WRITABLE or BAD_CONFIG */
export async function openDurableParts(
  { id, root, log, sync: mode = "auto", journalPartMaxBytes }: DurableOptions,
  incarnation: string,
): Promise<DurableParts> {
  await using cleanup = new AsyncDisposableStack();
  const sync = cleanup.use(await openGroupSync(root, mode, log));
  const parts = journalPartMaxBytes === undefined ? {} : { partMaxBytes: journalPartMaxBytes };
  const journal = cleanup.use(await Journal.open(root, id, incarnation, parts));
  const place = { root, storageId: id, incarnation };
  const isLocal = !sync.blobsSyncThemselves;
  const answered = cleanup.use(await AnsweredChanges.open(place, isLocal, log));
  const opened = cleanup.move();
  return { journal, sync, answered, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** All that stands between the last byte of an upload and its acknowledgement. */
export class CommitPath implements AsyncDisposable {
  readonly blobs: BlobStore;
  readonly journal: Journal;
  readonly committer: Committer;
  readonly health: DiskHealth;
  readonly #options: CommitPathOptions;
  readonly #settler: Settler;
  readonly #closing = new AbortController();
  readonly #users: UserJournal;
  #endsInOrder = false;

  constructor(options: CommitPathOptions) {
    const { id, group, root, log, catalog, onChanged, onHealth, assertMounted } = options;
    const { journal, sync, answered } = options.durable;
    this.#options = options;
    this.journal = journal;
    this.blobs = new BlobStore(root, sync, limits.leftoverRetryMs, assertMounted);
    this.health = new DiskHealth({
      root,
      storageId: id,
      log,
      onChange: onHealth,
      assertMounted,
      alsoTry: () => journal.append([]),
    });
    this.#settler = new Settler({
      journal,
      catalog,
      blobs: this.blobs,
      setAside: (blobId) => setAsideUnproven(root, blobId),
      log,
      settleAfterMs: options.doubtSettleMs,
    });
    this.#users = new UserJournal({ root, storageId: id, group, journal, catalog, log });
    this.committer = new Committer({
      journal,
      catalog,
      sync,
      groupMax: options.commitGroupMax,
      onChanged,
      onDoubt: (change) => this.#settler.add(change),
      beforeAnswer: (inForce) => answered.note(inForce),
    });
  }

  /** Begins what goes on beside the commits; to be called once. */
  start(): void {
    this.#users.start();
    void this.#settleEarlierLives();
  }

  /** To be called before it is closed by a storage that stops in order, unlike one that dies. */
  async endInOrder(timeoutMs: number): Promise<void> {
    // What lost to other writers may still have to be closed in the journal.
    await Promise.race([this.committer.idle(), Bun.sleep(timeoutMs)]);
    this.#endsInOrder = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#users[Symbol.asyncDispose]();
    await this.#settler[Symbol.asyncDispose]();
    await this.health[Symbol.asyncDispose]();
    await this.#options.durable[Symbol.asyncDispose]();
    await this.#markSettled();
  }

  /**
   * Now that nothing can be journaled any more: where all of this life is decided, its next one
   * doubts nothing of it, even if it finds a catalog that somebody has put back meanwhile.
   */
  async #markSettled(): Promise<void> {
    const { root, id, incarnation, log } = this.#options;
    const isDecided = this.committer.isIdle && this.#settler.knowsOwnLife;
    if (!this.#endsInOrder || !isDecided) return;
    try {
      await this.#options.assertMounted();
      await markLifeSettled(root, id, incarnation);
      await forgetAnswers({ root, storageId: id }, (life) => life === incarnation);
    } catch (err) {
      log.warn({ err }, "not marked as settled: the next start looks through this life again");
    }
  }

  /** What earlier lives left in doubt is settled in the background, like doubts of this one. */
  async #settleEarlierLives(): Promise<void> {
    const { root, id, incarnation, catalog, log } = this.#options;
    const lives = { root, storageId: id, ownLife: incarnation, catalog };
    while (!this.#closing.signal.aborted) {
      try {
        const inDoubt = await recordsInDoubt(lives);
        if (inDoubt.catalogWentBack !== undefined) {
          log.error({ err: inDoubt.catalogWentBack }, "what earlier lives left open stays open");
          return;
        }
        await this.#settler.settleAll(inDoubt.changes, { neverAcknowledged: inDoubt.isProven });
        await inDoubt.settled();
        return;
      } catch (err) {
        log.warn({ err }, "what earlier lives left in doubt cannot be settled yet");
      }
      await abortableSleep(limits.doubtRoundMaxMs, this.#closing.signal);
    }
  }
}

/** What a try before has moved is gone from its place, and no error. */
async function setAsideUnproven(root: string, id: BlobId): Promise<void> {
  try {
    await setBlobAside(root, id, { why: "no row, and no proof that it was never acknowledged" });
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}

/** Resolves after that time, or as soon as the signal is aborted; keeps no process alive. */
function abortableSleep(timeMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, timeMs).unref();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
