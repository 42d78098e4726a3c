import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { compressionOfBytes } from "./compression.ts";
import { badBackup } from "./format.ts";

const chunkBytes = 256 * 1024;
const headBytes = 4;

/** A backup that can be read from its beginning more than once, whatever it is compressed with. */
export class BackupSource implements AsyncDisposable {
  /** As errors name it. */
  readonly shown: string;
  readonly #file: FileHandle;

  private constructor(shown: string, file: FileHandle) {
    this.shown = shown;
    this.#file = file;
  }

  /** @throws DsmError BAD_CONFIG when it cannot be opened */
  static async open(path: string): Promise<BackupSource> {
    try {
      return new BackupSource(path, await open(path, "r"));
    } catch (cause) {
      const code = systemErrorCode(cause) ?? String(cause);
      throw new DsmError("BAD_CONFIG", `the backup ${path} cannot be opened: ${code}`, {
        remedy: "name the file that dsm catalog backup wrote",
        cause,
      });
    }
  }

  /**
   * A stream can be read only once, so it is kept on disk meanwhile, in a file without a name,
   * which is gone with this process.
   * @throws DsmError STORAGE_FULL, STORAGE_FAILED
   */
  static async spool(shown: string, stream: AsyncIterable<Uint8Array>): Promise<BackupSource> {
    const folder = await mkdtemp(join(tmpdir(), "dsm-restore-"));
    try {
      const file = await open(join(folder, "backup"), "wx+", 0o600);
      await rm(folder, { recursive: true });
      try {
        for await (const chunk of stream) await writeAll(file, chunk);
      } catch (error) {
        await file.close();
        throw error;
      }
      return new BackupSource(shown, file);
    } catch (cause) {
      await rm(folder, { recursive: true, force: true });
      if (cause instanceof DsmError) throw cause;
      const code = systemErrorCode(cause) ?? String(cause);
      const isFull = code === "ENOSPC" || code === "EDQUOT";
      const what = `${shown} cannot be kept in ${tmpdir()} while it is checked: ${code}`;
      throw new DsmError(isFull ? "STORAGE_FULL" : "STORAGE_FAILED", what, {
        remedy: "set TMPDIR to a folder that this user may write and that has space",
        cause,
      });
    }
  }

  /** In bytes, as it lies there. */
  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /**
   * The bytes of the backup from the beginning, decompressed.
   * @param onRead told how many bytes of the file were read
   * @throws DsmError DATA_CORRUPT, STORAGE_FAILED
   */
  async *bytes(onRead: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
    const head = Buffer.alloc(headBytes);
    await this.#file.read(head, 0, headBytes, 0);
    const inflate = compressionOfBytes(head)?.decompress();
    if (inflate === undefined) {
      yield* this.#chunks(onRead);
      return;
    }
    // What goes wrong in it breaks the reading of `inflate` as well.
    const pumping = pipeline(Readable.from(this.#chunks(onRead)), inflate).catch(() => undefined);
    try {
      for await (const chunk of inflate) yield chunk as Buffer;
    } catch (cause) {
      if (cause instanceof DsmError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw badBackup(this.shown, `it cannot be decompressed: ${why}`, cause);
    } finally {
      inflate.destroy();
      await pumping;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async *#chunks(onRead: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
    for (let position = 0; ;) {
      // A chunk of its own each time: the stream that takes it may keep it.
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const bytesRead = await this.#read(buffer, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      onRead(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  }

  async #read(buffer: Buffer, position: number): Promise<number> {
    try {
      return (await this.#file.read(buffer, 0, buffer.length, position)).bytesRead;
    } catch (cause) {
      const code = systemErrorCode(cause) ?? String(cause);
      throw new DsmError("STORAGE_FAILED", `${this.shown} cannot be read: ${code}`, {
        remedy: "look at the disk that it is on",
        cause,
      });
    }
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.length;) {
    offset += (await file.write(chunk, offset, chunk.length - offset)).bytesWritten;
  }
}
