import { stat } from "node:fs/promises";
import { DsmError, limits, systemErrorCode } from "@dsm/protocol";

/** The bytes of an upload. */
export interface UploadSource {
  /** Undefined where nobody knows before the end. */
  readonly sizeBytes?: number;
  /** Whether `open` may be called again, from the first byte on. */
  readonly replayable: boolean;
  open(): AsyncIterable<Uint8Array>;
  /**
   * To be called when a try failed: who still reads for it gets no more, and leaves the bytes to
   * the next one. `fetch` asks for one chunk more when it has failed already.
   */
  giveUp?(): void;
  /**
   * The SHA-256 of all bytes as 64 hex digits, known before they are sent: the storage refuses
   * what differs then. Absent where they can be read but once.
   */
  sha256?(signal?: AbortSignal): Promise<string>;
}

/**
 * A file on this machine, as it is when it is read. If its size changes meanwhile the upload
 * fails, for the bytes would be of two states of the file.
 * @throws DsmError USAGE when it cannot be read or is no plain file
 */
export async function fileSource(path: string): Promise<UploadSource> {
  let info;
  try {
    info = await stat(path);
  } catch (cause) {
    const why = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("USAGE", `${path} cannot be read: ${why}`, { cause });
  }
  if (!info.isFile()) throw new DsmError("USAGE", `${path} is not a plain file`);
  return {
    sizeBytes: info.size,
    replayable: true,
    open: () => Bun.file(path).stream(),
    sha256: (signal) => hashFile(path, signal),
  };
}

/** @throws DsmError USAGE when it cannot be read, and the signal's reason */
async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  try {
    for await (const chunk of Bun.file(path).stream()) {
      signal?.throwIfAborted();
      hasher.update(chunk);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    const why = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("USAGE", `${path} cannot be read: ${why}`, { cause });
  }
  return hasher.digest("hex");
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): UploadSource {
  return {
    sizeBytes: bytes.length,
    replayable: true,
    open: async function* () {
      if (bytes.length > 0) yield bytes;
    },
    sha256: async () => Bun.SHA256.hash(bytes, "hex"),
  };
}

/**
 * A stream that can be read once. What was read first is kept, up to 1 MiB, so that a small
 * upload, or one whose storage dies early, can be sent again to another.
 */
export function streamSource(stream: AsyncIterable<Uint8Array>, sizeBytes?: number): UploadSource {
  const kept = new KeptStream(stream);
  return {
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    get replayable() {
      return kept.replayable;
    },
    open: () => kept.open(),
    giveUp: () => kept.giveUp(),
  };
}

class KeptStream {
  readonly #rest: AsyncIterator<Uint8Array>;
  /** Chunks from number `#firstKept` on. */
  readonly #kept: Uint8Array[] = [];
  #firstKept = 0;
  #readBytes = 0;
  #state: "reading" | "ended" | { readonly failure: unknown } = "reading";
  #pendingRead: Promise<void> | undefined;
  #opened = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#rest = stream[Symbol.asyncIterator]();
  }

  get replayable(): boolean {
    return this.#firstKept === 0 && this.#readBytes <= limits.uploadReplayMaxBytes;
  }

  /**
   * A reader that was given up takes nothing away from the one that came after it. It counts from
   * the call on, for the network may ask a try for its first bytes when that was given up already.
   */
  open(): AsyncGenerator<Uint8Array> {
    // The rest of a body is no body: to a storage it would look like a whole one.
    if (this.#firstKept > 0) throw usedUp();
    return this.#from(++this.#opened);
  }

  giveUp(): void {
    this.#opened++;
  }

  /** It fails when it was given up: if it just ended, half a body would look complete. */
  async *#from(opened: number): AsyncGenerator<Uint8Array> {
    let position = 0;
    for (;;) {
      if (opened !== this.#opened) throw givenUp();
      const chunk = this.#kept[position - this.#firstKept];
      if (chunk !== undefined) {
        position++;
        if (!this.replayable) this.#forgetBefore(position);
        yield chunk;
      } else if (this.#state === "reading") {
        await (this.#pendingRead ??= this.#read());
      } else if (this.#state === "ended") {
        return;
      } else {
        throw this.#state.failure;
      }
    }
  }

  /**
   * A failed generator says "done" when it is asked again, and a body that was cut short would
   * look complete to the next try: the failure is kept and told to every reader.
   */
  async #read(): Promise<void> {
    try {
      const next = await this.#rest.next();
      if (next.done === true) {
        this.#state = "ended";
      } else {
        this.#kept.push(next.value);
        this.#readBytes += next.value.length;
      }
    } catch (failure) {
      this.#state = { failure };
    } finally {
      this.#pendingRead = undefined;
    }
  }

  #forgetBefore(position: number): void {
    this.#kept.splice(0, position - this.#firstKept);
    this.#firstKept = position;
  }
}

function givenUp(): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", "this try of the upload was given up for a later one");
}

function usedUp(): DsmError {
  const message = "the upload cannot be sent again: its first bytes are gone";
  return new DsmError("UPLOAD_INCOMPLETE", message, { remedy: "send it again" });
}
