import { type BlobId, blobIdToNumber, blobPath, limits } from "@dsm/protocol";
import type { ReapPace } from "../reap-pace.ts";
import { assertMounted } from "./assert-mounted.ts";
import { blobFaultsNow } from "./blob-faults.ts";
import { knownBlobs } from "./by-blob.ts";
import { Cursor } from "./cursor.ts";
import { type DiskFile, lookAt } from "./disk-files.ts";
import { JournalBook } from "./journal-book.ts";
import { Meter } from "./meter.ts";
import { missingParts } from "./missing-parts.ts";
import { Pace } from "./pace.ts";
import type { FsckOptions, Scope } from "./scope.ts";
import { Suspects } from "./suspects.ts";
import { walkTree } from "./tree-walk.ts";
import { findingsOfLoss, versionSuspects } from "./version-suspects.ts";

/** What a round has done. */
export interface OrphanCounts {
  /** Blobs that were proven to be garbage and are gone. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs without a row that are not, and that fsck tells of. */
  readonly left: number;
}

export interface OrphanWork extends FsckOptions {
  /** For the steps that only look: so many names, rows and lines. */
  readonly lookPace: ReapPace;
  /** For what is unlinked. */
  readonly pace: ReapPace;
  readonly signal: AbortSignal;
  /** Whether a blob has not changed for so long that no upload of it can be under way. */
  readonly isStill: (blob: DiskFile) => boolean;
  readonly onCounts: (counts: Partial<OrphanCounts>) => void;
}

/**
 * Unlinks the blobs that crashes have left without a row, by the rules of fsck: what is proven to
 * be garbage, and nothing else is touched. Names are held against the rows that the catalog has,
 * in the order of the ids; only where a name is left over are the journals read.
 * @throws DsmError STORAGE_FAILED, CATALOG_UNAVAILABLE; the signal's reason when it is aborted
 */
export async function removeOrphans(work: OrphanWork): Promise<void> {
  await assertMounted(work);
  const startedAtMs = Date.now();
  const { orphanAgeMs = limits.orphanAgeMs } = work;
  using journal = new JournalBook(work.root, work.group, work.settlingMaxMs);
  await new OrphanRound(work, journal, {
    ...work,
    pace: new Pace(0, work.signal),
    isYoung: (atMs) => atMs > startedAtMs - orphanAgeMs,
    cameSince: ({ file }) => file.modifiedAtMs > startedAtMs,
  }).run();
}

class OrphanRound {
  readonly #work: OrphanWork;
  readonly #journal: JournalBook;
  readonly #scope: Scope;
  #isRead = false;

  constructor(work: OrphanWork, journal: JournalBook, scope: Scope) {
    this.#work = work;
    this.#journal = journal;
    this.#scope = scope;
  }

  async run(): Promise<void> {
    let batch: DiskFile[] = [];
    for await (const blob of this.#withoutRow()) {
      batch.push(blob);
      if (batch.length < limits.listMax) continue;
      await this.#judge(batch);
      batch = [];
    }
    if (batch.length > 0) await this.#judge(batch);
  }

  /** Old enough, and leased since the catalog was there: of what is older it proves nothing. */
  async *#withoutRow(): AsyncGenerator<DiskFile, void, undefined> {
    const { root, catalog } = this.#work;
    const firstId = (await catalog.firstIdSinceLoad()) ?? 0;
    await using known = await Cursor.open(knownBlobs(this.#work));
    for await (const found of this.#paced(walkTree(root, "blobs"))) {
      if (!("id" in found)) continue;
      const { id } = found;
      while (known.next !== undefined && known.next.file.blobId < id) await known.take();
      if (known.next?.file.blobId === id || blobIdToNumber(id) < firstId) continue;
      const blob = await lookAt(root, id, blobPath(id));
      if (blob === undefined || blob.failure !== undefined) continue;
      if (this.#scope.isYoung(blob.changedAtMs)) continue;
      if (this.#work.isStill(blob)) yield blob;
    }
  }

  async #judge(blobs: readonly DiskFile[]): Promise<void> {
    if (!this.#isRead) await this.#readJournals();
    this.#isRead = true;
    for (const { id, sizeBytes } of blobs) await this.#judgeOne(id, sizeBytes);
  }

  async #judgeOne(id: BlobId, sizeBytes: number): Promise<void> {
    const { pace, signal, onCounts } = this.#work;
    const none = { known: undefined, blob: undefined, sidecar: undefined };
    await pace.turn(signal);
    const history = this.#journal.historyOf(id);
    const faults = await blobFaultsNow(this.#scope, this.#journal, { id, ...none, history });
    const orphan = faults.find(({ kind }) => kind === "orphan");
    if (orphan === undefined) return;
    if (orphan.isGarbage !== true) return onCounts({ left: 1 });
    await assertMounted(this.#work);
    const beganMs = performance.now();
    await orphan.mend?.();
    pace.done({ bytes: sizeBytes, diskMs: performance.now() - beganMs });
    onCounts({ blobs: 1, bytes: sizeBytes });
  }

  /** All of them, and what of their records is missing, as fsck finds it out. */
  async #readJournals(): Promise<void> {
    const journal = this.#journal;
    const { root, signal } = this.#work;
    for (const part of await journal.parts()) {
      for await (const _ of this.#paced(journal.read(part))) signal.throwIfAborted();
    }
    if ((await missingParts(root)).length > 0) journal.noteLoss();
    const suspects = new Suspects({
      repair: false,
      signal,
      secondLookMs: limits.fsckSecondLookMs,
      onFinding: ({ kind }) => {
        if (findingsOfLoss.has(kind)) journal.noteLoss();
      },
      assertMounted: () => assertMounted(this.#work),
    });
    const nobody = { advance: () => {}, onLost: () => {} };
    const versions = this.#paced(versionSuspects(this.#scope, journal, nobody));
    const meter = new Meter("comparing journals", "records", 0, () => 0);
    for await (const _ of suspects.settle(versions, meter)) signal.throwIfAborted();
  }

  async *#paced<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const { lookPace, signal } = this.#work;
    let count = 0;
    await lookPace.turn(signal);
    for await (const each of source) {
      yield each;
      if (++count < limits.orphanLooksAtOnce) continue;
      lookPace.done({ count, bytes: 0, diskMs: 0 });
      await lookPace.turn(signal);
      count = 0;
    }
  }
}
