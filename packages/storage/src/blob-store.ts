import { type FileHandle, link, mkdir, open, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crashPoint } from "@dsm/faults";
import {
  type BlobId,
  blobPath,
  DsmError,
  limits,
  piecesPath,
  systemErrorCode,
} from "@dsm/protocol";
import { type BlobSync, BlobWriter } from "./blob-writer.ts";
import { diskError } from "./disk-error.ts";
import { writeNewFile } from "./write-new-file.ts";

/**
 * The blobs of one group file system. Knows paths and bytes, and nothing of files or users. What
 * it writes is durable once the group that the blob joins is synced.
 */
export class BlobStore {
  readonly #root: string;
  readonly #sync: BlobSync;
  readonly #retryMs: number;
  readonly #assertMounted: (() => Promise<void>) | undefined;
  readonly #leftovers = new Set<BlobId>();
  #retry: Timer | undefined;

  /**
   * @param retryMs until what could not be removed is tried again
   * @param assertMounted asked before a directory is made: below a mount that has gone there is
   * none, so that no blob is ever written to the bare folder
   */
  constructor(
    root: string,
    sync: BlobSync,
    retryMs: number = limits.leftoverRetryMs,
    assertMounted?: () => Promise<void>,
  ) {
    this.#root = root;
    this.#sync = sync;
    this.#retryMs = retryMs;
    this.#assertMounted = assertMounted;
  }

  /**
   * Creates the blob at its final path, never over an existing one: the id is unique and the
   * catalog row is the commit, so that neither a temporary name nor a rename is needed.
   * @throws DsmError STORAGE_FULL or STORAGE_FAILED
   */
  async create(id: BlobId): Promise<BlobWriter> {
    const path = blobPath(id);
    const file = await this.#make<FileHandle>(path, (at) => open(at, "wx", 0o644));
    crashPoint("put.created");
    const writePieces = (bytes: Uint8Array) => this.#writeNew(piecesPath(id), bytes);
    return new BlobWriter(path, file, this.#sync, writePieces);
  }

  /**
   * A whole blob that is in memory; nothing of it is left where this fails.
   * @throws DsmError STORAGE_FULL or STORAGE_FAILED
   */
  async write(id: BlobId, bytes: Uint8Array): Promise<void> {
    try {
      await this.#writeNew(blobPath(id), bytes);
    } catch (error) {
      // Where an id is taken, against all rules, the bytes are somebody else's.
      if (isTaken(error)) throw error;
      throw await this.discard(id, error);
    }
  }

  /**
   * Gives the bytes of a blob a second name, of a new blob: nothing is copied, and either name may
   * be removed without harm to the other.
   * @param pieces the sidecar of the new blob, where it is to have one
   * @returns false when there are no bytes under the first name any more
   * @throws DsmError STORAGE_FULL or STORAGE_FAILED; nothing of the new blob is left then
   */
  async link(from: BlobId, to: BlobId, pieces?: Uint8Array): Promise<boolean> {
    try {
      await this.#make(blobPath(to), (at) => link(join(this.#root, blobPath(from)), at));
    } catch (error) {
      const isGone = error instanceof DsmError && systemErrorCode(error.cause) === "ENOENT";
      if (isGone) return false;
      throw error;
    }
    try {
      if (pieces !== undefined) await this.#writeNew(piecesPath(to), pieces);
    } catch (error) {
      throw await this.discard(to, error);
    }
    return true;
  }

  /**
   * Removes what a failed upload has written. What cannot be removed now is tried again later.
   * @returns the error to tell: the one that was given, and what went wrong here besides
   */
  async discard(id: BlobId, because: unknown): Promise<unknown> {
    crashPoint("put.abandoned");
    try {
      await this.remove(id);
      return because;
    } catch (error) {
      this.#leftovers.add(id);
      this.#retryLater();
      return bothErrors(because, error);
    }
  }

  /**
   * Removes a blob and its sidecar. What is gone already is no error.
   * @returns whether the blob was there
   * @throws DsmError STORAGE_FAILED
   */
  async remove(id: BlobId): Promise<boolean> {
    // The sidecar first: a blob without one can be read, a sidecar without a blob is litter.
    await this.#unlink(piecesPath(id));
    return this.#unlink(blobPath(id));
  }

  #writeNew(path: string, bytes: Uint8Array): Promise<void> {
    const sync = this.#sync.blobsSyncThemselves;
    return this.#make(path, (at) => writeNewFile(at, bytes, { sync }));
  }

  /** Does `make` at a path below the root, whose directory is made when it is not there. */
  async #make<T>(path: string, make: (at: string) => Promise<T>): Promise<T> {
    const at = join(this.#root, path);
    try {
      try {
        return await make(at);
      } catch (error) {
        if (systemErrorCode(error) !== "ENOENT") throw error;
      }
      await this.#assertMounted?.();
      await mkdir(dirname(at), { recursive: true });
      return await make(at);
    } catch (cause) {
      throw diskError(`${path} cannot be written`, cause);
    }
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => void this.#removeLeftovers(), this.#retryMs);
    this.#retry.unref();
  }

  async #removeLeftovers(): Promise<void> {
    for (const id of this.#leftovers) {
      try {
        await this.remove(id);
        this.#leftovers.delete(id);
      } catch {
        // It was told of when it failed first; fsck finds what this process leaves behind.
      }
    }
    this.#retry = undefined;
    if (this.#leftovers.size > 0) this.#retryLater();
  }

  /** @returns whether there was something */
  async #unlink(path: string): Promise<boolean> {
    try {
      await unlink(join(this.#root, path));
      return true;
    } catch (cause) {
      if (systemErrorCode(cause) !== "ENOENT") throw diskError(`${path} cannot be removed`, cause);
      return false;
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof DsmError && systemErrorCode(error.cause) === "EEXIST";
}

function bothErrors(first: unknown, second: unknown): DsmError {
  const { code, message, remedy } = DsmError.from(first, "an upload");
  const { message: also } = DsmError.from(second, "its removal");
  return new DsmError(code, `${message}; and ${also}, which is tried again later`, {
    cause: first,
    remedy,
  });
}
