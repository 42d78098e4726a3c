import { access, open, rename, rm, stat } from "node:fs/promises";
import { DsmError, type FileInfo, systemErrorCode } from "@dsm/protocol";

/** Small chunks of the network are written together. */
const writeBatchBytes = 1024 * 1024;

/**
 * A download under way, kept beside its target as `TARGET.BLOBID.part`. The blob id in the name
 * keeps a part of one version from ever being continued with bytes of another.
 */
export class PartFile {
  readonly path: string;
  readonly #target: string;
  readonly #file: FileInfo;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #sizeBytes = 0;

  constructor(target: string, file: FileInfo) {
    this.#target = target;
    this.#file = file;
    this.path = `${target}.${file.blobId}.part`;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes up what an earlier download left. */
  async resume(signal: AbortSignal): Promise<void> {
    const left = await sizeOf(this.path);
    if (left === undefined) return;
    if (left > this.#file.sizeBytes) {
      await this.discard();
      return;
    }
    const stream = Bun.file(this.path).stream();
    for await (const chunk of stream) {
      signal.throwIfAborted();
      this.#hasher.update(chunk);
      this.#sizeBytes += chunk.length;
    }
  }

  /** Appends the rest. @throws DsmError DATA_NOT_WRITABLE */
  async append(body: AsyncIterable<Uint8Array>, onProgress: (bytes: number) => void) {
    await using handle = await this.#open();
    let pending: Uint8Array[] = [];
    let pendingBytes = 0;
    const flush = async () => {
      await this.#write(handle, Buffer.concat(pending));
      pending = [];
      pendingBytes = 0;
    };
    for await (const chunk of body) {
      pending.push(chunk);
      pendingBytes += chunk.length;
      if (pendingBytes >= writeBatchBytes) await flush();
      onProgress(this.#sizeBytes + pendingBytes);
    }
    await flush();
  }

  /**
   * Checks the digest and puts the file in place.
   * @throws DsmError DIGEST_MISMATCH, FILE_EXISTS when `force` is false and it exists by now
   */
  async finish(force: boolean): Promise<void> {
    const sha256 = this.#hasher.digest("hex");
    if (sha256 !== this.#file.sha256) {
      await this.discard();
      throw digestDiffers(this.#file, sha256);
    }
    if (!force) await assertFree(this.#target);
    await rename(this.path, this.#target);
  }

  async discard(): Promise<void> {
    await rm(this.path, { force: true });
  }

  async #open() {
    try {
      return await open(this.path, "a");
    } catch (cause) {
      throw notWritable(this.path, cause);
    }
  }

  async #write(handle: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
    try {
      await handle.writeFile(chunk);
    } catch (cause) {
      throw notWritable(this.path, cause);
    }
    this.#hasher.update(chunk);
    this.#sizeBytes += chunk.length;
  }
}

/** @throws DsmError FILE_EXISTS */
export async function assertFree(target: string): Promise<void> {
  try {
    await access(target);
  } catch (cause) {
    if (systemErrorCode(cause) === "ENOENT") return;
    throw notWritable(target, cause);
  }
  throw new DsmError("FILE_EXISTS", `${target} exists`, {
    remedy: "replace it with --force, or name another with -o",
  });
}

export function digestDiffers(file: FileInfo, sha256: string): DsmError {
  return new DsmError(
    "DIGEST_MISMATCH",
    `the bytes of ${JSON.stringify(file.fileId)} have sha-256 ${sha256} and not ${file.sha256}`,
    { remedy: "download it again; if it stays so, the storage holds damaged bytes" },
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if (systemErrorCode(cause) === "ENOENT") return undefined;
    throw notWritable(path, cause);
  }
}

function notWritable(path: string, cause: unknown): DsmError {
  const why = systemErrorCode(cause) ?? String(cause);
  return new DsmError("DATA_NOT_WRITABLE", `cannot write ${path}: ${why}`, {
    remedy: "choose a place with room that this user may write with -o",
    cause,
  });
}
