import {
  DsmError,
  etagOf,
  type FileInfo,
  limits,
  type Location,
  mediaPath,
  type StorageAddress,
} from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";
import { FailedStorages } from "./failed-storages.ts";
import { StallGuard } from "./stall-guard.ts";
import { askStorage, unreachable } from "./storage-http.ts";

export interface RangeRequest {
  /** The version to read: no byte of another one is ever given. */
  readonly file: FileInfo;
  readonly start: number;
  readonly endExclusive: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ReadPorts {
  locateForRead(user: string, fileId: string): Promise<Location>;
}

/**
 * The bytes of a range of one version. When a storage dies or stalls in the middle, the next one
 * goes on at the same offset; the reader sees neither gap nor repeat.
 */
export class RangeReader {
  readonly #ports: ReadPorts;
  readonly #request: RangeRequest;
  readonly #failed = new FailedStorages();
  #location: Location | undefined;
  #offset: number;

  constructor(ports: ReadPorts, request: RangeRequest, location?: Location) {
    this.#ports = ports;
    this.#request = request;
    this.#location = location;
    this.#offset = request.start;
  }

  /**
   * Resolves when the first storage has answered, so that whoever can still say "not available"
   * instead of a broken body does.
   * @throws DsmError PRECONDITION_FAILED when the file is another version by now,
   * GROUP_UNAVAILABLE, …
   */
  async open(): Promise<AsyncGenerator<Uint8Array>> {
    if (this.#offset >= this.#request.endExclusive) return nothing();
    return this.#body(await this.#connect());
  }

  async *#body(first: Connection): AsyncGenerator<Uint8Array> {
    let connection = first;
    try {
      for (;;) {
        try {
          yield* this.#drain(connection);
          return;
        } catch (error) {
          if (!(error instanceof DsmError) || !error.retryable) throw error;
          connection.close();
          connection = await this.#connect();
        }
      }
    } finally {
      // The reader may have left in the middle: what is upstream stops reading the disk at once.
      connection.close();
    }
  }

  async *#drain(connection: Connection): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of connection.chunks()) {
        this.#offset += chunk.length;
        if (this.#offset > this.#request.endExclusive) throw connection.lied("too many bytes");
        yield chunk;
      }
      if (this.#offset < this.#request.endExclusive) throw connection.lied("the body ended early");
    } catch (error) {
      this.#failed.note(connection.storage);
      throw error;
    }
  }

  #connect(): Promise<Connection> {
    const { file, endExclusive, signal } = this.#request;
    return withAttempts(async () => {
      signal?.throwIfAborted();
      const location = this.#location ?? (await this.#locate());
      // Used once: the next try asks anew, for by then trackers know more.
      this.#location = undefined;
      const storage = this.#failed.order(location)[0];
      if (storage === undefined) throw new DsmError("GROUP_UNAVAILABLE", "no storage was named");
      try {
        const range = { file, start: this.#offset, endExclusive };
        return await Connection.open(storage, location.capability, range, signal);
      } catch (error) {
        this.#failed.note(storage);
        throw error;
      }
    }, signal);
  }

  async #locate(): Promise<Location> {
    const { file } = this.#request;
    const location = await this.#ports.locateForRead(file.user, file.fileId);
    if (location.file?.blobId === file.blobId) return location;
    const shown = JSON.stringify(file.fileId);
    throw new DsmError("PRECONDITION_FAILED", `${shown} was replaced while it was read`, {
      remedy: "read it again from the start",
    });
  }
}

/** One answered request to one storage. */
class Connection {
  readonly storage: StorageAddress;
  readonly #response: Response;
  readonly #guard: StallGuard;
  readonly #leave: AbortController;

  private constructor(
    storage: StorageAddress,
    response: Response,
    guard: StallGuard,
    leave: AbortController,
  ) {
    this.storage = storage;
    this.#response = response;
    this.#guard = guard;
    this.#leave = leave;
  }

  static async open(
    storage: StorageAddress,
    capability: string,
    range: { file: FileInfo; start: number; endExclusive: number },
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const { file, start, endExclusive } = range;
    const leave = new AbortController();
    const outer = signal === undefined ? leave.signal : AbortSignal.any([leave.signal, signal]);
    const what = `storage ${storage.storageId}`;
    const guard = new StallGuard(what, limits.upstreamStallMs, outer);
    try {
      const response = await askStorage(storage, mediaPath(file.user, file.fileId), {
        headers: {
          Authorization: `Bearer ${capability}`,
          Range: `bytes=${start}-${endExclusive - 1}`,
          "If-Match": etagOf(file.sha256),
          "Accept-Encoding": "identity",
        },
        signal: guard.signal,
      });
      const connection = new Connection(storage, response, guard, leave);
      const expected = `bytes ${start}-${endExclusive - 1}/${file.sizeBytes}`;
      const got = response.headers.get("Content-Range");
      if (got !== expected) throw connection.lied(`it sent range ${got} for ${expected}`);
      return connection;
    } catch (error) {
      guard[Symbol.dispose]();
      leave.abort();
      throw error;
    }
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#response.body === null) return;
    try {
      for await (const chunk of this.#response.body) {
        // A reader that takes its time is no stall of the storage.
        this.#guard.pause();
        yield chunk;
        this.#guard.touch();
      }
    } catch (cause) {
      const { signal } = this.#guard;
      if (signal.aborted) throw signal.reason;
      throw unreachable(this.storage, cause);
    }
  }

  lied(why: string): DsmError {
    return new DsmError("STORAGE_FAILED", `storage ${this.storage.storageId} failed: ${why}`);
  }

  close(): void {
    this.#guard[Symbol.dispose]();
    this.#leave.abort();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
