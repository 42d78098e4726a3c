import type { CatalogLoad, GroupRow, VersionRow } from "@dsm/catalog";
import { groupMark } from "@dsm/delivery";
import { type IndexedChange, RecordIndex } from "@dsm/journal";
import { type BlobId, limits } from "@dsm/protocol";
import { inBatches } from "../batches.ts";
import { nextIdAfter } from "../next-id.ts";
import { type OnProgress, Steps } from "../progress.ts";
import { assertGroupRoots } from "./assert-roots.ts";
import { largestBlobId } from "./blob-ids.ts";
import type { Finding, FindingKind } from "./finding.ts";
import { groupWith, lookAtBlobs } from "./look-at-blobs.ts";
import { type GroupRoots, readJournals } from "./read-journals.ts";
import { type Rebuilt, rowsOfFile } from "./rows-of-file.ts";
import { verifyBlob } from "./verify.ts";
import { changesByFile } from "./version-sets.ts";
import { findWithoutRecord } from "./without-record.ts";

export interface RebuildOptions {
  readonly roots: GroupRoots;
  /** Where the rows go; without it nothing is written. */
  readonly load?: CatalogLoad;
  /** Read all bytes of live files as well. */
  readonly verify: boolean;
  /** Told of each finding as it comes. */
  readonly onFinding: (finding: Finding) => Promise<void>;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
  /** Where the index is kept meanwhile; the folder of TMPDIR unless given. */
  readonly scratchFolder?: string;
}

export interface RebuildResult {
  /** Puts and deletes in the journals. */
  readonly records: number;
  readonly users: number;
  readonly versions: number;
  readonly liveFiles: number;
  readonly liveBytes: number;
  /** The first id that will be leased. */
  readonly nextId: number;
  readonly findings: Partial<Record<FindingKind, number>>;
  readonly tookMs: number;
}

/**
 * Makes an empty catalog equal to the one that was lost, from the journals and blobs of all
 * groups. May be done again after it was cut off: rows that are there already stay.
 * @throws DsmError BAD_CONFIG for a folder that is not that of its group; STORAGE_FAILED,
 * CATALOG_UNAVAILABLE
 */
export async function rebuildCatalog(options: RebuildOptions): Promise<RebuildResult> {
  await assertGroupRoots(options.roots);
  using index = new RecordIndex(options.scratchFolder);
  return await new Rebuild(options, index).run();
}

class Rebuild {
  readonly #options: RebuildOptions;
  readonly #index: RecordIndex;
  readonly #steps: Steps;
  readonly #findings: Partial<Record<FindingKind, number>> = {};
  readonly #counts = { users: 0, versions: 0, liveFiles: 0, liveBytes: 0 };

  constructor(options: RebuildOptions, index: RecordIndex) {
    this.#options = options;
    this.#index = index;
    this.#steps = new Steps(options.onProgress);
  }

  async run(): Promise<RebuildResult> {
    const startedAtMs = performance.now();
    const { roots, load, signal } = this.#options;
    const found = (finding: Finding) => this.#found(finding);
    await readJournals(roots, this.#index, this.#steps, found, signal);
    await lookAtBlobs(roots, this.#index, this.#steps, found, signal);
    await findWithoutRecord(roots, this.#index, this.#steps, found, signal);
    const nextId = await this.#nextId();
    // Ids first: whatever comes later, none that was used is ever given out again.
    await load?.add({ segments: [{ name: "blob", next: nextId }] });
    await this.#addGroups(load);
    await this.#addUsers(load);
    await this.#addVersions(load);
    await load?.finish();
    const tookMs = Math.round(performance.now() - startedAtMs);
    const records = this.#index.changes;
    return { records, ...this.#counts, nextId, findings: this.#findings, tookMs };
  }

  async #nextId(): Promise<number> {
    const roots = [...this.#options.roots.values()];
    return nextIdAfter([this.#index.maxId, ...(await Promise.all(roots.map(largestBlobId)))]);
  }

  /** Each as the marker of its file system names it; an older one has no id yet. */
  async #addGroups(load: CatalogLoad | undefined): Promise<void> {
    const groups: GroupRow[] = [];
    for (const [name, root] of this.#options.roots) {
      const id = (await groupMark(root))?.id;
      if (id !== undefined) groups.push({ name, id, createdAtMs: Date.now() });
    }
    await load?.add({ groups });
  }

  async #addUsers(load: CatalogLoad | undefined): Promise<void> {
    for (const users of inBatches(this.#index.users(), limits.catalogLoadRowsMax)) {
      this.#options.signal.throwIfAborted();
      await load?.add({ users });
      this.#counts.users += users.length;
    }
  }

  async #addVersions(load: CatalogLoad | undefined): Promise<void> {
    this.#steps.begin(
      load === undefined ? "checking" : "writing rows",
      this.#index.changes,
      "records",
    );
    for (const batch of inBatches(this.#rebuilt(), limits.catalogLoadRowsMax)) {
      this.#options.signal.throwIfAborted();
      const versions = batch.flatMap((it) => ("row" in it ? [it.row] : []));
      const live = batch.flatMap((it) => ("row" in it && it.isLive ? [it.row] : []));
      for (const it of batch) if ("finding" in it) await this.#found(it.finding);
      if (versions.length > 0) await load?.add({ versions });
      this.#counts.versions += versions.length;
      this.#counts.liveFiles += live.length;
      this.#counts.liveBytes += live.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (this.#options.verify) await this.#verify(live);
    }
    this.#steps.end();
  }

  *#rebuilt(): Generator<Rebuilt, void, undefined> {
    const evidence = {
      wentOnMs: (change: IndexedChange) => this.#index.wentOnMs(change),
      groupWith: (id: BlobId) => groupWith(this.#options.roots, id),
    };
    for (const file of changesByFile(this.#counted())) yield* rowsOfFile(file, evidence);
  }

  *#counted(): Generator<IndexedChange, void, undefined> {
    for (const change of this.#index.byFile()) {
      this.#steps.advance(1);
      yield change;
    }
  }

  async #verify(rows: readonly VersionRow[]): Promise<void> {
    for (const some of inBatches(rows, concurrentReads)) {
      this.#options.signal.throwIfAborted();
      const faults = await Promise.all(
        some.map((row) => verifyBlob(this.#options.roots.get(row.group) ?? "", row)),
      );
      for (const fault of faults) if (fault !== undefined) await this.#found(fault);
    }
  }

  #found(finding: Finding): Promise<void> {
    this.#findings[finding.kind] = (this.#findings[finding.kind] ?? 0) + 1;
    return this.#options.onFinding(finding);
  }
}

const concurrentReads = 8;
