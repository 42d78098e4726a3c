import { type BlobId, blobIdFromNumber, DsmError } from "@dsm/protocol";
import { type Catalog, openCatalog, type PutChange } from "../index.ts";
import { put } from "./backend.ts";

const idsAtATime = 20;
const filesOfAll = 5;
const sizeBytes = 10;
const pauseMs = 5;

interface Kept {
  readonly version: number;
  readonly blobId: BlobId;
}

/**
 * Writers with a catalog each, who lease ids, make files of their own and overwrite files that all
 * of them overwrite. What got no answer is committed again with the same id until there is one, as
 * storages do it.
 */
export class CommitLoad {
  readonly user: string;
  /** Every id that was ever leased. */
  readonly ids: number[] = [];
  /** What was acknowledged: of each file every version that is in force, oldest first. */
  readonly kept = new Map<string, Kept[]>();
  readonly figures = {
    commits: 0,
    noAnswer: 0,
    superseded: 0,
    longestMs: 0,
    longestGapMs: 0,
    lastFailure: "",
  };
  /** What is neither an answer nor CATALOG_UNAVAILABLE. */
  readonly faults: unknown[] = [];
  #stopping = false;
  #lastMs = performance.now();
  readonly #writers: Promise<void>[];

  constructor(user: string, urls: readonly string[]) {
    this.user = user;
    this.#writers = urls.map((url, n) => this.#write(url, n));
  }

  /** Resolves when every writer has its last answer. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#writers);
  }

  async #write(url: string, writer: number): Promise<void> {
    await using catalog = await openCatalog(url);
    const ids: number[] = [];
    for (let n = 0; !this.#stopping; n++) {
      if (ids.length === 0) ids.push(...(await this.#lease(catalog)));
      const id = blobIdFromNumber(ids.pop() ?? 0);
      const isOwn = n % 2 === 0;
      const fileId = isOwn ? `w${writer}/${n}` : `all/${n % filesOfAll}`;
      const change = await this.#next(catalog, fileId, id);
      const [outcome] = await this.#patiently(() => catalog.commit([change]));
      if (outcome === "superseded") this.figures.superseded++;
      if (outcome === "in force") this.#keep(fileId, { version: change.file.version, blobId: id });
      if (outcome !== "in force" && isOwn) this.faults.push(`${fileId}: ${outcome}`);
      await Bun.sleep(pauseMs);
    }
  }

  async #lease(catalog: Catalog): Promise<number[]> {
    const { first } = await this.#patiently(() => catalog.leaseSegment(this.user, idsAtATime));
    const ids = Array.from({ length: idsAtATime }, (_, i) => first + i);
    this.ids.push(...ids);
    return ids;
  }

  async #next(catalog: Catalog, fileId: string, blobId: BlobId): Promise<PutChange> {
    const before = await this.#patiently(() => catalog.current(this.user, fileId));
    const version = (before?.version ?? 0) + 1;
    return put({ user: this.user, fileId, blobId, version, sizeBytes }, before?.file?.blobId);
  }

  #keep(fileId: string, kept: Kept): void {
    const nowMs = performance.now();
    this.figures.commits++;
    this.figures.longestGapMs = Math.max(this.figures.longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.kept.set(fileId, [...(this.kept.get(fileId) ?? []), kept]);
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      const startedMs = performance.now();
      try {
        return await work();
      } catch (error) {
        this.figures.noAnswer++;
        this.figures.lastFailure = String(error);
        if (!(error instanceof DsmError) || error.code !== "CATALOG_UNAVAILABLE") {
          this.faults.push(error);
          this.#stopping = true;
          throw error;
        }
      } finally {
        this.figures.longestMs = Math.max(this.figures.longestMs, performance.now() - startedMs);
      }
      await Bun.sleep(50);
    }
  }
}
