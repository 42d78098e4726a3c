import { blobIdFromNumber, type FileInfo, type Location, signCapability } from "@dsm/protocol";
import type { ReadObserver } from "../read-observer.ts";
import { RangeReader, type ReadContext } from "../read-range.ts";
import { StorageRests } from "../storage-rests.ts";
import { realSurroundings } from "../surroundings.ts";
import { OddStorage, type OddStorageOptions, secret } from "./odd-storage.ts";

/** A version of a file with these bytes. */
export function fileOf(content: Uint8Array): FileInfo {
  return {
    user: "ann",
    fileId: "a/film.mp4",
    group: "g1",
    blobId: blobIdFromNumber(4711),
    version: 1,
    sizeBytes: content.length,
    sha256: Bun.SHA256.hash(content, "hex"),
    mediaType: "video/mp4",
    modifiedAtMs: 1_700_000_000_000,
  };
}

/** A group of odd storages, and readers of the one file that they have. */
export class Reading implements AsyncDisposable {
  readonly storages: OddStorage[] = [];
  readonly content: Uint8Array;
  readonly file: FileInfo;
  readonly events: string[] = [];
  capabilityTtlMs = 60_000;
  readonly #stack = new AsyncDisposableStack();
  readonly #context: ReadContext;

  constructor(sizeBytes: number, over: Partial<ReadContext> = {}) {
    this.content = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));
    this.file = fileOf(this.content);
    const observer: ReadObserver = {
      onAbandoned: (unreadBytes) => this.events.push(`abandoned ${unreadBytes}`),
      onHedge: (storageId) => this.events.push(`hedge ${storageId}`),
      onFailover: (storageId, error) => this.events.push(`failover ${storageId} ${error.code}`),
    };
    this.#context = {
      secret,
      observer,
      rests: new StorageRests(() => performance.now()),
      surroundings: realSurroundings,
      hedgeAfterMs: 60_000,
      stallMs: 200,
      locate: async () => this.location(),
      ...over,
    };
  }

  async add(id: string, manner?: OddStorageOptions["manner"]): Promise<OddStorage> {
    const { file, content } = this;
    const options = { id, file, content, ...(manner === undefined ? {} : { manner }) };
    const storage = this.#stack.use(await OddStorage.start(options));
    this.storages.push(storage);
    return storage;
  }

  /** As a tracker answers. */
  location(): Location {
    const { user, fileId, group } = this.file;
    const expiresAtMs = Date.now() + this.capabilityTtlMs;
    const claims = { intent: "read", user, fileId, group, file: this.file, expiresAtMs } as const;
    const storages = this.storages.map((it) => it.address);
    const capability = signCapability(secret, claims);
    return { group, storages, capability, expiresAtMs, file: this.file };
  }

  open(
    range: { start?: number; endExclusive?: number; signal?: AbortSignal } = {},
  ): Promise<AsyncGenerator<Uint8Array>> {
    const { start = 0, endExclusive = this.content.length, signal } = range;
    const request = { file: this.file, start, endExclusive, signal };
    return new RangeReader(this.#context, request, this.location()).open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
