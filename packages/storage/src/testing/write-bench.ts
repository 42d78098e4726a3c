import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { decodeRecord, Journal } from "@dsm/journal";
import { silentLog } from "@dsm/log";
import { blobIdFromNumber } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { BlobStore } from "../blob-store.ts";
import { Committer } from "../committer.ts";
import { FileWrites } from "../file-writes.ts";
import { IdLease } from "../id-lease.ts";
import { Reaper, type ReaperOptions } from "../reaper.ts";
import { TrashBin } from "../trash-bin.ts";
import type { GroupSync } from "../sync/group-sync.ts";
import { openGroupSync } from "../sync/open-group-sync.ts";

/** All that a storage writes with, on a folder and a SQLite catalog of its own, without ports. */
export class WriteBench implements AsyncDisposable {
  readonly root: string;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly writes: FileWrites;
  readonly trash: TrashBin;
  readonly #ids: IdLease;
  readonly #committer: Committer;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    root: string,
    catalog: Catalog,
    { journal, sync }: { journal: Journal; sync: GroupSync },
    stack: AsyncDisposableStack,
  ) {
    this.root = root;
    this.catalog = catalog;
    this.blobs = new BlobStore(root, sync);
    this.#stack = stack;
    let next = 1;
    const lease = (count: number) =>
      Promise.resolve({ first: blobIdFromNumber((next += count) - count), count });
    const ids = (this.#ids = new IdLease({ lease }, 4));
    const committer = (this.#committer = new Committer({ journal, catalog, sync }));
    const parts = { group: "g1", root, catalog, blobs: this.blobs, ids, committer };
    this.writes = new FileWrites(parts);
    this.trash = new TrashBin({ ...parts, commits: this.writes.commits });
  }

  static async open(): Promise<WriteBench> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    const catalog = stack.use(await openCatalog(url));
    const journal = stack.use(await Journal.open(dir.path, "s1", "life"));
    const sync = stack.use(await openGroupSync(dir.path, "auto", silentLog));
    return new WriteBench(dir.path, catalog, { journal, sync }, stack);
  }

  put(fileId: string, content: string, over: Partial<Parameters<FileWrites["put"]>[0]> = {}) {
    return this.writes.put({
      user: "ann",
      fileId,
      mediaType: "text/plain",
      body: chunks(content),
      announcedBytes: undefined,
      sha256: undefined,
      check: () => {},
      ...over,
    });
  }

  delete(fileId: string) {
    return this.writes.delete({ user: "ann", fileId, check: () => {} });
  }

  /** It looks through the trash when it is told to, and finds due whatever is there. */
  reaper(over: Partial<ReaperOptions> = {}): Reaper {
    return new Reaper({
      group: "g1",
      catalog: this.catalog,
      blobs: this.blobs,
      ids: this.#ids,
      committer: this.#committer,
      lease: { whileHeld: (signal, work) => work(signal) },
      trashGraceMs: -1_000,
      reapIntervalMs: 3_600_000,
      isBusy: () => false,
      log: silentLog,
      ...over,
    });
  }

  async blobFiles(): Promise<string[]> {
    const all = await readdir(join(this.root, "blobs"), { recursive: true, withFileTypes: true });
    return all.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }

  async journal() {
    const [file] = await readdir(join(this.root, "journal", "s1"));
    const text = await Bun.file(join(this.root, "journal", "s1", file ?? "")).text();
    return text.trimEnd().split("\n").map(decodeRecord);
  }

  [Symbol.asyncDispose]() {
    return this.#stack.disposeAsync();
  }
}

async function* chunks(content: string): AsyncGenerator<Uint8Array> {
  for (const part of content.match(/.{1,3}/gs) ?? []) yield new TextEncoder().encode(part);
}
