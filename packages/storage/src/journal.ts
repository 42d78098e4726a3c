import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { encodeRecord, type JournalRecord } from "./journal-record.ts";
import { syncDirectory } from "./sync-directory.ts";

/**
 * The append-only log of one life of one storage, `journal/{storage}/{start}-{incarnation}.log`
 * on the group file system. Each life has a file of its own, so that nothing is ever appended
 * behind a line that a crash cut short.
 */
export class Journal implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** @throws DsmError DATA_NOT_WRITABLE */
  static async open(root: string, storageId: string, incarnation: string): Promise<Journal> {
    const folder = join(root, "journal", storageId);
    const startedAt = new Date().toISOString().replaceAll(/[-:.]/g, "");
    const path = join(folder, `${startedAt}-${incarnation}.log`);
    try {
      await mkdir(folder, { recursive: true });
      const file = await open(path, "ax", 0o644);
      for (const directory of [join(root, "journal"), folder]) await syncDirectory(directory);
      return new Journal(file, path);
    } catch (cause) {
      const code = systemErrorCode(cause) ?? String(cause);
      throw new DsmError("DATA_NOT_WRITABLE", `the journal ${path} cannot be made: ${code}`, {
        cause,
        remedy: "give this process a folder that it may write",
      });
    }
  }

  /**
   * The records are durable when this resolves: one write and one fdatasync for all of them.
   * Calls must follow one another. @throws DsmError STORAGE_FAILED
   */
  async append(records: readonly JournalRecord[]): Promise<void> {
    try {
      await this.#file.appendFile(records.map(encodeRecord).join(""));
      await this.#file.datasync();
    } catch (cause) {
      const code = systemErrorCode(cause) ?? String(cause);
      throw new DsmError("STORAGE_FAILED", `the journal ${this.#path} cannot be written: ${code}`, {
        cause,
        remedy: "look at the disk and the mount of the group file system",
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
