import { createWriteStream } from "node:fs";
import { access, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { syncDirectory } from "@dsm/journal";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { compressionOfName } from "./compression.ts";

/**
 * A backup on its way to a file, compressed when the name ends in `.gz` or `.zst`. The file has
 * its name only once it is whole and durable; until then it is `NAME.part-….`.
 */
export class BackupFile implements AsyncDisposable {
  readonly #path: string;
  readonly #draft: string;
  readonly #input = new PassThrough();
  readonly #written: Promise<void>;

  /** @throws DsmError FILE_EXISTS when the file is there, and may not be replaced */
  static async create(path: string, { overwrite }: { overwrite: boolean }): Promise<BackupFile> {
    const absolute = resolve(path);
    if (!overwrite && (await isThere(absolute))) {
      throw new DsmError("FILE_EXISTS", `${path} is there already`, {
        remedy: "choose another name, or replace it with --overwrite",
      });
    }
    return new BackupFile(absolute);
  }

  private constructor(path: string) {
    this.#path = path;
    this.#draft = `${path}.part-${crypto.randomUUID()}`;
    const compress = compressionOfName(path)?.compress();
    const file = createWriteStream(this.#draft, { flags: "wx", mode: 0o600 });
    const through = compress === undefined ? [] : [compress];
    this.#written = pipeline([this.#input, ...through, file]);
    // It is looked at with each chunk; here it only must not be nobody's.
    this.#written.catch(() => undefined);
  }

  /** Resolves when there is room for more. @throws DsmError STORAGE_FULL, STORAGE_FAILED */
  async write(chunk: Uint8Array): Promise<void> {
    const taken = new Promise<void>((done) => {
      this.#input.write(chunk, () => done());
    });
    await Promise.race([taken, this.#failure()]);
  }

  /** Gives the file its name. @throws DsmError STORAGE_FULL, STORAGE_FAILED */
  async finish(): Promise<void> {
    this.#input.end();
    await Promise.race([this.#written, this.#failure()]);
    try {
      await syncFile(this.#draft);
      await rename(this.#draft, this.#path);
      await syncDirectory(dirname(this.#path));
    } catch (cause) {
      throw this.#error(cause);
    }
  }

  /** Removes what was written, unless it was finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.destroy();
    await this.#written.catch(() => undefined);
    await rm(this.#draft, { force: true });
  }

  /** Rejects when writing fails, and never resolves. */
  async #failure(): Promise<never> {
    try {
      await this.#written;
    } catch (cause) {
      throw this.#error(cause);
    }
    return new Promise<never>(() => {});
  }

  #error(cause: unknown): DsmError {
    const code = systemErrorCode(cause) ?? String(cause);
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    return new DsmError(
      isFull ? "STORAGE_FULL" : "STORAGE_FAILED",
      `the backup ${this.#path} cannot be written: ${code}`,
      { remedy: "choose a folder that this user may write and that has space", cause },
    );
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
