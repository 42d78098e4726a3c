import {
  DsmError,
  etagOf,
  type FileInfo,
  limits,
  mediaPath,
  type StorageAddress,
} from "@dsm/protocol";
import type { Contender } from "./first-answer.ts";
import { StallGuard } from "./stall-guard.ts";
import { askStorage, unreachable } from "./storage-http.ts";
import type { Surroundings } from "./surroundings.ts";

export interface WindowRequest {
  readonly file: FileInfo;
  readonly start: number;
  readonly endExclusive: number;
  readonly capability: string;
  /** A storage that sends nothing for this long has failed. */
  readonly stallMs: number;
  readonly surroundings: Surroundings;
}

/**
 * A few hundred KiB of one version, asked of one storage. They are taken in as fast as they come,
 * however slow the reader: so the connection is soon free for others, a reader who pauses holds
 * none, and silence is always the storage's.
 */
export class ReadWindow implements Contender {
  readonly storage: StorageAddress;
  readonly sizeBytes: number;
  readonly endExclusive: number;
  readonly opened: Promise<void>;
  readonly #request: WindowRequest;
  readonly #guard: StallGuard;
  readonly #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #handedBytes = 0;
  #isOver = false;
  #failure: DsmError | undefined;
  #wasRefused = false;
  #wake: (() => void) | undefined;

  constructor(storage: StorageAddress, request: WindowRequest) {
    this.storage = storage;
    this.#request = request;
    this.endExclusive = request.endExclusive;
    this.sizeBytes = request.endExclusive - request.start;
    const { stallMs, surroundings } = request;
    this.#guard = new StallGuard(`storage ${storage.storageId}`, stallMs, surroundings.clock);
    void this.#take();
    this.opened = this.#firstBytes();
  }

  /** Why not all of it came; undefined as long as nothing failed. */
  get failure(): DsmError | undefined {
    return this.#failure;
  }

  /** The storage does not accept the capability. */
  get wasRefused(): boolean {
    return this.#wasRefused;
  }

  get capability(): string {
    return this.#request.capability;
  }

  /** What has come and was not handed to the reader. */
  get unreadBytes(): number {
    return this.#arrivedBytes - this.#handedBytes;
  }

  /** What comes, until all has come or `failure` is set. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#arrived.shift();
      if (chunk !== undefined) {
        // Small pieces, for whoever takes them may hold one or two that nobody will read.
        for (let at = 0; at < chunk.length; at += limits.readPieceMaxBytes) {
          const piece = chunk.subarray(at, at + limits.readPieceMaxBytes);
          this.#handedBytes += piece.length;
          yield piece;
        }
      } else if (this.#isOver) {
        return;
      } else {
        await this.#movement();
      }
    }
  }

  /** Nothing more is wanted: the storage stops to read its disk at once. */
  close(reason: Error): void {
    this.#guard.abort(reason);
  }

  async #firstBytes(): Promise<void> {
    while (this.#arrivedBytes === 0 && !this.#isOver) await this.#movement();
    if (this.#arrivedBytes === 0 && this.#failure !== undefined) throw this.#failure;
  }

  #movement(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  /** Never rejects. */
  async #take(): Promise<void> {
    try {
      const response = await this.#ask();
      for await (const chunk of response.body ?? []) {
        this.#guard.touch();
        this.#arrivedBytes += chunk.length;
        if (this.#arrivedBytes > this.sizeBytes) throw this.#lied("it sent too many bytes");
        this.#arrived.push(chunk);
        this.#wake?.();
      }
      if (this.#arrivedBytes < this.sizeBytes) throw this.#lied("the body ended early");
    } catch (cause) {
      this.#failure = this.#failureOf(cause);
      // What was not read of a wrong answer.
      this.#guard.abort(this.#failure);
    } finally {
      this.#isOver = true;
      this.#guard[Symbol.dispose]();
      this.#wake?.();
    }
  }

  /** @throws DsmError STORAGE_FAILED for an answer that is not this part of this version */
  async #ask(): Promise<Response> {
    const { file, start, endExclusive, capability, surroundings } = this.#request;
    const range = `${start}-${endExclusive - 1}`;
    const etag = etagOf(file.sha256);
    const response = await askStorage(
      surroundings.fetch,
      this.storage,
      mediaPath(file.user, file.fileId),
      {
        headers: {
          Authorization: `Bearer ${capability}`,
          Range: `bytes=${range}`,
          "If-Match": etag,
          "Accept-Encoding": "identity",
        },
        signal: this.#guard.signal,
      },
    );
    const answered = [response.status, ...namesOfPart.map((name) => response.headers.get(name))];
    const expected = [206, `bytes ${range}/${file.sizeBytes}`, etag, null];
    if (answered.every((value, i) => value === expected[i])) return response;
    throw this.#lied(`it answered ${answered.join(", ")} instead of ${expected.join(", ")}`);
  }

  /** Why there is no answer, or not all of it. */
  #failureOf(cause: unknown): DsmError {
    const { signal } = this.#guard;
    const error: DsmError = signal.aborted
      ? DsmError.from(signal.reason, "reading")
      : unreachable(this.storage, cause);
    // The capability names the blob: there is nothing in the request that could be wrong.
    if (error.http >= 500) return error;
    this.#wasRefused = error.code === "FORBIDDEN";
    return this.#lied(`it answered ${error.code}, ${error.message}`);
  }

  #lied(why: string): DsmError {
    return new DsmError("STORAGE_FAILED", `storage ${this.storage.storageId} failed: ${why}`);
  }
}

const namesOfPart = ["Content-Range", "ETag", "Content-Encoding"] as const;
