import { stat } from "node:fs/promises";
import { DsmError, limits, systemErrorCode } from "@dsm/protocol";

/** The bytes of an upload. */
export interface UploadSource {
  /** Undefined where nobody knows before the end. */
  readonly sizeBytes?: number;
  /** Whether `open` may be called again, from the first byte on. */
  readonly replayable: boolean;
  open(): AsyncIterable<Uint8Array>;
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
  };
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): UploadSource {
  return {
    sizeBytes: bytes.length,
    replayable: true,
    open: async function* () {
      if (bytes.length > 0) yield bytes;
    },
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

  /** A reader that was given up ends, and takes nothing away from the one that came after it. */
  async *open(): AsyncGenerator<Uint8Array> {
    const opened = ++this.#opened;
    let position = 0;
    for (;;) {
      if (opened !== this.#opened) return;
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
