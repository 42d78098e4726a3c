import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { crashPoint } from "@dsm/faults";
import { DsmError, limits, systemErrorCode } from "@dsm/protocol";
import { encodeRecord, type JournalRecord } from "./journal-record.ts";
import { syncDirectory } from "./sync-directory.ts";

interface JournalOptions {
  /** A part that has so much is closed, and the next one begun. */
  readonly partMaxBytes?: number;
}

/**
 * The append-only log of one life of one storage, in `journal/{storage}/` on the group file
 * system. Each life has files of its own, so that nothing is ever appended behind a line that a
 * crash cut short. Calls may overlap; they are done one after another.
 */
export class Journal implements AsyncDisposable {
  readonly #root: string;
  readonly #folder: string;
  readonly #name: string;
  readonly #partMaxBytes: number;
  #part = 0;
  #partBytes = 0;
  #file: FileHandle | undefined;
  /** The current part has bytes that no sync has covered. */
  #isUnsynced = false;
  /** Such bytes were in a part that was given up: the sync that should cover them must fail. */
  #lost: DsmError | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    root: string,
    storageId: string,
    incarnation: string,
    { partMaxBytes = limits.journalPartMaxBytes }: JournalOptions,
  ) {
    this.#root = root;
    this.#folder = join(root, "journal", storageId);
    const startedAt = new Date().toISOString().replaceAll(/[-:.]/g, "");
    this.#name = `${startedAt}-${incarnation}`;
    this.#partMaxBytes = partMaxBytes;
  }

  /** @throws DsmError DATA_NOT_WRITABLE */
  static async open(
    root: string,
    storageId: string,
    incarnation: string,
    options: JournalOptions = {},
  ): Promise<Journal> {
    const journal = new Journal(root, storageId, incarnation, options);
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
   * Writes records, all or, for a later reader, a first few of them. They are durable once `sync`
   * or a sync of the whole file system has succeeded.
   * @throws DsmError STORAGE_FAILED or STORAGE_FULL; DRAINING once the journal is closed
   */
  write(records: readonly JournalRecord[]): Promise<void> {
    return this.#inTurn(() => this.#write(records));
  }

  /** Makes durable what was written since the last sync. @throws DsmError STORAGE_FAILED, … */
  sync(): Promise<void> {
    return this.#inTurn(async () => {
      const lost = this.#lost;
      this.#lost = undefined;
      try {
        if (lost !== undefined) throw lost;
        await this.#sync();
      } catch (error) {
        // With this failure it is told of all that no sync has covered, and told once.
        this.#isUnsynced = false;
        throw error;
      }
    });
  }

  /** Both in one: the records are durable when this resolves. @throws as write and sync */
  append(records: readonly JournalRecord[]): Promise<void> {
    return this.#inTurn(async () => {
      const wasUnsynced = this.#isUnsynced;
      await this.#write(records);
      try {
        await this.#sync();
      } catch (error) {
        // Of its own records this call tells; a later sync answers for what others have written.
        this.#isUnsynced = wasUnsynced;
        throw error;
      }
    });
  }

  /**
   * To be called when a sync of the whole file system has failed: the kernel may have dropped
   * pages of the current part, and says so only once. Nothing more is written to it.
   */
  giveUpPart(): Promise<void> {
    return this.#inTurn(() => this.#giveUpPart());
  }

  /** Waits for what is being written; what comes later is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await this.#file?.close();
    this.#file = undefined;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#closed) {
      const why = `the journal in ${this.#folder} is closed`;
      return Promise.reject(new DsmError("DRAINING", why, { remedy: "ask another storage" }));
    }
    const done = this.#turn.then(() => this.#orGiveUp(work));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #orGiveUp(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      const error = this.#errorOf(cause);
      if (this.#isUnsynced) this.#lost = error;
      await this.#giveUpPart();
      throw error;
    }
  }

  #errorOf(cause: unknown): DsmError {
    if (cause instanceof DsmError) return cause;
    const code = systemErrorCode(cause) ?? String(cause);
    const full = code === "ENOSPC" || code === "EDQUOT";
    const what = `the journal in ${this.#folder} cannot be written: ${code}`;
    return new DsmError(full ? "STORAGE_FULL" : "STORAGE_FAILED", what, {
      cause,
      remedy: "look at the disk and the mount of the group file system",
    });
  }

  async #write(records: readonly JournalRecord[]): Promise<void> {
    if (this.#partBytes >= this.#partMaxBytes) await this.#closeFullPart();
    const file = (this.#file ??= await this.#openPart());
    const lines = Buffer.from(records.map(encodeRecord).join(""));
    await file.appendFile(lines);
    this.#isUnsynced = true;
    this.#partBytes += lines.length;
  }

  async #sync(): Promise<void> {
    await this.#file?.datasync();
    this.#isUnsynced = false;
  }

  /** No later sync reaches a closed part, so it is synced here. */
  async #closeFullPart(): Promise<void> {
    await this.#sync();
    await this.#file?.close();
    this.#file = undefined;
    crashPoint("journal.closed");
  }

  async #openPart(): Promise<FileHandle> {
    const isNext = this.#part > 0;
    // A folder that is gone later is a mount that is gone: nothing is written to what lies below.
    if (!isNext) await mkdir(this.#folder, { recursive: true });
    // Padded, so that the parts of a life are listed in their order.
    const number = String(this.#part).padStart(6, "0");
    const name = `${this.#name}-${number}.log`;
    const file = await this.#create(join(this.#folder, name));
    this.#partBytes = 0;
    try {
      await syncDirectory(join(this.#root, "journal"));
      await syncDirectory(this.#folder);
    } catch (error) {
      await file.close();
      throw error;
    }
    if (isNext) crashPoint("journal.opened");
    return file;
  }

  /**
   * A number is used up when there is a file of it, so that one that is missing later tells of a
   * part that is lost. A file system may make the file and fail to say so.
   */
  async #create(path: string): Promise<FileHandle> {
    try {
      const file = await open(path, "ax", 0o644);
      this.#part++;
      return file;
    } catch (error) {
      if (systemErrorCode(error) === "EEXIST") this.#part++;
      throw error;
    }
  }

  /**
   * After a failed write the file may end in half a line, and after a failed sync the kernel may
   * have dropped pages and say so only once: nothing more is written to it.
   */
  async #giveUpPart(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#isUnsynced = false;
    // The failure that brought us here is the one to tell; closing can add nothing to it.
    await file?.close().catch(() => undefined);
  }
}
