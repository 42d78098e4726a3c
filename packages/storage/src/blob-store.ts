import { type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { type BlobId, blobPath, DsmError, systemErrorCode } from "@dsm/protocol";
import { syncDirectory } from "./sync-directory.ts";

/** A blob that is being written. Exactly one of `finish` and `abort` ends it. */
export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the bytes and the name durable. */
  finish(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** The blobs of one group file system. Knows paths and bytes, and nothing of files or users. */
export class BlobStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Creates the blob at its final path, never over an existing one: the id is unique and the
   * catalog row is the commit, so that neither a temporary name nor a rename is needed.
   * @throws DsmError STORAGE_FULL or STORAGE_FAILED
   */
  async create(id: BlobId): Promise<BlobWriter> {
    const path = join(this.#root, blobPath(id));
    try {
      const file = await this.#openNew(path);
      return new FileBlobWriter(this.#root, path, file);
    } catch (cause) {
      throw diskError(`blob ${id} cannot be created`, cause);
    }
  }

  /** Removing what is gone already is no error. @throws DsmError STORAGE_FAILED */
  async remove(id: BlobId): Promise<void> {
    try {
      await unlink(join(this.#root, blobPath(id)));
    } catch (cause) {
      if (systemErrorCode(cause) !== "ENOENT")
        throw diskError(`blob ${id} cannot be removed`, cause);
    }
  }

  async #openNew(path: string): Promise<FileHandle> {
    try {
      return await open(path, "wx", 0o644);
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
    }
    await this.#makeDirectory(dirname(path));
    return open(path, "wx", 0o644);
  }

  /** Makes a directory and the names of all that were made for it durable. */
  async #makeDirectory(path: string): Promise<void> {
    const firstMade = await mkdir(path, { recursive: true });
    if (firstMade === undefined) return;
    const steps = relative(dirname(firstMade), path).split(sep);
    for (let depth = 0; depth < steps.length; depth++) {
      await syncDirectory(join(dirname(firstMade), ...steps.slice(0, depth)));
    }
  }
}

class FileBlobWriter implements BlobWriter {
  readonly #root: string;
  readonly #path: string;
  readonly #file: FileHandle;

  constructor(root: string, path: string, file: FileHandle) {
    this.#root = root;
    this.#path = path;
    this.#file = file;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      // write(2) may take less than it was given, on a full disk above all.
      for (let offset = 0; offset < chunk.length;) {
        const { bytesWritten } = await this.#file.write(chunk, offset, chunk.length - offset);
        offset += bytesWritten;
      }
    } catch (cause) {
      throw diskError(`${this.#shown} cannot be written`, cause);
    }
  }

  async finish(): Promise<void> {
    try {
      await this.#file.datasync();
      await this.#file.close();
      await syncDirectory(dirname(this.#path));
    } catch (cause) {
      throw diskError(`${this.#shown} cannot be made durable`, cause);
    }
  }

  async abort(): Promise<void> {
    // After a failed close the descriptor is gone already, and there is nothing more to close.
    await this.#file.close().catch(() => undefined);
    await unlink(this.#path).catch((cause: unknown) => {
      if (systemErrorCode(cause) !== "ENOENT")
        throw diskError(`${this.#shown} stays behind`, cause);
    });
  }

  get #shown(): string {
    return relative(this.#root, this.#path);
  }
}

const fullCodes = new Set(["ENOSPC", "EDQUOT"]);

function diskError(what: string, cause: unknown): DsmError {
  if (cause instanceof DsmError) return cause;
  const code = systemErrorCode(cause) ?? String(cause);
  if (fullCodes.has(code)) {
    return new DsmError("STORAGE_FULL", `${what}: the group file system is full (${code})`, {
      cause,
      remedy: "add space or delete files",
    });
  }
  return new DsmError("STORAGE_FAILED", `${what}: ${code}`, {
    cause,
    remedy: "look at the disk and the mount of the group file system",
  });
}
