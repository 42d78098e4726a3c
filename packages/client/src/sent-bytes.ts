import { DsmError } from "@dsm/protocol";
import type { StallGuard } from "./stall-guard.ts";
import type { UploadSource } from "./upload-source.ts";

/** How long a storage may take to make the bytes durable and commit, after the last of them. */
const commitTimeoutMs = 30_000;

interface Sending {
  readonly source: UploadSource;
  readonly sha256AtEnd?: () => string | undefined;
  readonly onProgress?: (sentBytes: number) => void;
}

/** What was handed to the network in one try. */
export class SentBytes {
  readonly #request: Sending;
  readonly digestFollows: boolean;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #sha256: string | undefined;
  #sizeBytes = 0;
  /** The last byte was handed over, so the storage may have committed. */
  complete = false;
  /** What the source threw; it says more than the broken connection that follows from it. */
  sourceError: unknown;

  /** @param digestFollows whether the storage takes the SHA-256 behind the bytes */
  constructor(request: Sending, digestFollows: boolean) {
    this.#request = request;
    this.digestFollows = digestFollows;
  }

  get sha256(): string {
    return (this.#sha256 ??= this.#hasher.digest("hex"));
  }

  async *chunks(guard: StallGuard): AsyncGenerator<Uint8Array> {
    const { source, onProgress } = this.#request;
    guard.pause();
    try {
      // The last of the announced bytes wait for the end of the source: a storage that has them
      // commits, and only the end says whether they are right.
      const last: Uint8Array[] = [];
      for await (const chunk of source.open()) {
        this.#hasher.update(chunk);
        this.#sizeBytes += chunk.length;
        if (this.#sizeBytes >= (source.sizeBytes ?? Infinity)) {
          this.#assertSize(this.#sizeBytes > (source.sizeBytes ?? Infinity));
          last.push(chunk);
          continue;
        }
        // The network is asked to take it; a source that is slow is no stall of the storage.
        guard.touch();
        yield chunk;
        guard.pause();
        onProgress?.(this.#sizeBytes);
      }
      this.#assertSize(this.#sizeBytes < (source.sizeBytes ?? 0));
      this.#assertDigest();
      for (const chunk of last) {
        guard.touch();
        yield chunk;
      }
      if (last.length > 0) onProgress?.(this.#sizeBytes);
      if (this.digestFollows) {
        guard.touch();
        yield Buffer.from(this.sha256, "hex");
      }
    } catch (error) {
      this.sourceError = error;
      throw error;
    }
    this.complete = true;
    guard.touch(commitTimeoutMs);
  }

  #assertSize(differs: boolean): void {
    if (!differs) return;
    const had = `had ${this.#request.source.sizeBytes} bytes and gave ${this.#sizeBytes}`;
    throw new DsmError("USAGE", `the source of the upload ${had}: it changed while it was read`, {
      remedy: "upload it when nobody writes to it",
    });
  }

  #assertDigest(): void {
    const said = this.#request.sha256AtEnd?.();
    if (said === undefined || said === this.sha256) return;
    throw new DsmError(
      "DIGEST_MISMATCH",
      `the bytes have sha-256 ${this.sha256}, and ${said} was said at their end`,
      { remedy: "send it again; nothing was stored" },
    );
  }
}
