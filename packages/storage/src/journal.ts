import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { encodeRecord, type JournalRecord } from "./journal-record.ts";
import { syncDirectory } from "./sync-directory.ts";

/**
 * The append-only log of one life of one storage, in `journal/{storage}/` on the group file
 * system. Each life has files of its own, so that nothing is ever appended behind a line that a
 * crash cut short.
 */
export class Journal implements AsyncDisposable {
  readonly #root: string;
  readonly #folder: string;
  readonly #name: string;
  #part = 0;
  #file: FileHandle | undefined;
  #appending: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(root: string, storageId: string, incarnation: string) {
    this.#root = root;
    this.#folder = join(root, "journal", storageId);
    const startedAt = new Date().toISOString().replaceAll(/[-:.]/g, "");
    this.#name = `${startedAt}-${incarnation}`;
  }

  /** @throws DsmError DATA_NOT_WRITABLE */
  static async open(root: string, storageId: string, incarnation: string): Promise<Journal> {
    const journal = new Journal(root, storageId, incarnation);
    try {
      journal.#file = await journal.#openPart();
      return journal;
    } catch (cause) {
      const code = systemErrorCode(cause) ?? String(cause);
      const what = `the journal in ${journal.#folder} cannot be made: ${code}`;
      throw new DsmError("DATA_NOT_WRITABLE", what, {
        cause,
        remedy: "give this process a folder that it may write",
      });
    }
  }

  /**
   * The records are durable when this resolves: one write and one fdatasync for all of them.
   * Calls must follow one another.
   * @throws DsmError STORAGE_FAILED or STORAGE_FULL; DRAINING once the journal is closed
   */
  append(records: readonly JournalRecord[]): Promise<void> {
    if (this.#closed) {
      const why = `the journal in ${this.#folder} is closed`;
      return Promise.reject(new DsmError("DRAINING", why, { remedy: "ask another storage" }));
    }
    const appended = this.#append(records);
    this.#appending = appended.catch(() => undefined);
    return appended;
  }

  async #append(records: readonly JournalRecord[]): Promise<void> {
    try {
      const file = (this.#file ??= await this.#openPart());
      await file.appendFile(records.map(encodeRecord).join(""));
      await file.datasync();
    } catch (cause) {
      await this.#giveUpPart();
      const code = systemErrorCode(cause) ?? String(cause);
      const full = code === "ENOSPC" || code === "EDQUOT";
      const what = `the journal in ${this.#folder} cannot be written: ${code}`;
      throw new DsmError(full ? "STORAGE_FULL" : "STORAGE_FAILED", what, {
        cause,
        remedy: "look at the disk and the mount of the group file system",
      });
    }
  }

  /** Waits for what is being appended; what comes later is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#appending;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #openPart(): Promise<FileHandle> {
    await mkdir(this.#folder, { recursive: true });
    const name = `${this.#name}-${this.#part++}.log`;
    const file = await open(join(this.#folder, name), "ax", 0o644);
    await syncDirectory(join(this.#root, "journal"));
    await syncDirectory(this.#folder);
    return file;
  }

  /**
   * After a failed write the file may end in half a line, and after a failed sync the kernel may
   * have dropped pages and say so only once: nothing more is written to it.
   */
  async #giveUpPart(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // The failure that brought us here is the one to tell; closing can add nothing to it.
    await file?.close().catch(() => undefined);
  }
}
