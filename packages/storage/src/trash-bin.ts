import type { Catalog, TrashedBlob, VersionRow } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import { type BlobId, DsmError, type Emptied, type FileInfo } from "@dsm/protocol";
import type { BlobStore } from "./blob-store.ts";
import { CommitInDoubt } from "./commit-group.ts";
import type { FileCommits, Look, NewBlob, PutTerms } from "./file-commits.ts";
import type { IdLease } from "./id-lease.ts";
import { encodeSidecar } from "./piece-sums.ts";
import { readSidecar } from "./scrub/sidecar-file.ts";

interface TrashBinOptions {
  readonly root: string;
  readonly group: string;
  readonly catalog: Pick<Catalog, "rowsOf" | "trashEntryOf" | "forgetTrashed">;
  readonly blobs: BlobStore;
  readonly ids: Pick<IdLease, "next">;
  readonly commits: FileCommits;
  /** Told of every restore that failed once it had begun. */
  readonly onFault?: (error: unknown) => void;
}

interface RestoreTerms extends PutTerms {
  /** What to restore; `fileId` is the name that it gets. */
  readonly blobId: BlobId;
}

/**
 * What can be done with the trash besides to wait: docs/design/2026-11-23-trash-and-expiry.md.
 * Each step may be done twice, and by several storages at the same moment.
 */
export class TrashBin {
  readonly #options: TrashBinOptions;

  constructor(options: TrashBinOptions) {
    this.#options = options;
  }

  /**
   * Makes a new version of what lies in the trash, of the same bytes under a new id. The old blob
   * stays in the trash and may be reaped or emptied as ever: whoever still reads it is not
   * disturbed, and a crash in between leaves at most a second name without a row.
   * @throws DsmError FILE_NOT_FOUND where it is not in the trash, QUOTA_EXCEEDED, …
   */
  async restore(terms: RestoreTerms): Promise<{ file: FileInfo; created: boolean }> {
    const { catalog, blobs, ids, commits, onFault } = this.#options;
    const { user, fileId, blobId } = terms;
    const [row] = await catalog.rowsOf([blobId]);
    if (row === undefined || !(await this.#isTrash(row, user))) throw gone(user, blobId);
    // Refused before anything is made where the conditions fail already.
    const seen = await commits.look(terms);
    terms.check(seen.file);
    const newId = await ids.next();
    try {
      const isLinked = await blobs.link(blobId, newId, await this.#sidecarFor(row, newId));
      if (!isLinked) throw gone(user, blobId);
      crashPoint("restore.linked");
      return await this.#commit(terms, { ...blobOf(row), fileId, blobId: newId }, seen);
    } catch (error) {
      onFault?.(error);
      throw error;
    }
  }

  async #commit(terms: RestoreTerms, blob: NewBlob, seen: Look) {
    const { blobs, commits } = this.#options;
    try {
      return await commits.put(terms, blob, seen);
    } catch (error) {
      throw error instanceof CommitInDoubt ? error : await blobs.discard(blob.blobId, error);
    }
  }

  /**
   * Unlinks blobs of one file that lie in the trash; what is not there is passed over. The oldest
   * version goes first: the catalog keeps the row of one as long as an older blob needs it.
   */
  async empty(user: string, fileId: string, blobIds: readonly BlobId[]): Promise<Emptied> {
    const rows = await this.#options.catalog.rowsOf([...new Set(blobIds)]);
    const emptied = { blobs: 0, bytes: 0, kept: 0 };
    const removed = new Set<BlobId>();
    for (const row of rows.toSorted((a, b) => a.version - b.version)) {
      const entry = row.fileId === fileId ? await this.#entryOf(row, user) : undefined;
      if (entry === undefined) continue;
      const olderIsThere = row.trashGroup !== undefined && !removed.has(row.replaces!);
      if (olderIsThere) {
        emptied.kept++;
        continue;
      }
      await this.#remove(entry);
      removed.add(row.id);
      emptied.blobs++;
      emptied.bytes += row.sizeBytes;
    }
    return emptied;
  }

  /** As the reaper does it: the bytes go before the row, so that a crash is mended by a repeat. */
  async #remove(entry: TrashedBlob): Promise<void> {
    await this.#options.blobs.remove(entry.blobId);
    crashPoint("reaper.unlinked");
    await this.#options.catalog.forgetTrashed(entry);
    crashPoint("reaper.forgotten");
  }

  async #isTrash(row: VersionRow, user: string): Promise<boolean> {
    return (await this.#entryOf(row, user)) !== undefined;
  }

  async #entryOf(row: VersionRow, user: string): Promise<TrashedBlob | undefined> {
    const { group, catalog } = this.#options;
    if (row.user !== user || row.group !== group || row.deleted) return undefined;
    const entry = await catalog.trashEntryOf(row.id);
    return entry?.trashGroup === group ? entry : undefined;
  }

  /** It names its blob, so it is written anew. Where it is bad, a scrub makes another. */
  async #sidecarFor({ id, sizeBytes }: VersionRow, newId: BlobId): Promise<Uint8Array | undefined> {
    const sums = await readSidecar(this.#options.root, { blobId: id, sizeBytes });
    if (sums === "none" || sums === "damaged") return undefined;
    return encodeSidecar({ blobId: newId, sizeBytes }, sums);
  }
}

/** An expiry that has passed is why it is in the trash; nobody restores a file to lose it again. */
function blobOf(row: VersionRow): Omit<NewBlob, "fileId" | "blobId"> {
  const { user, group, sizeBytes, sha256, mediaType, expiresAtMs, damage } = row;
  const isAhead = expiresAtMs !== undefined && expiresAtMs > Date.now();
  return {
    user,
    group,
    sizeBytes,
    sha256,
    mediaType,
    ...(isAhead ? { expiresAtMs } : {}),
    ...(damage === undefined ? {} : { damage }),
  };
}

function gone(user: string, blobId: BlobId): DsmError {
  return new DsmError("FILE_NOT_FOUND", `blob ${blobId} of user ${user} is not in the trash`, {
    remedy: `see dsm trash list --user ${user}; it stays there for trash_grace`,
  });
}
