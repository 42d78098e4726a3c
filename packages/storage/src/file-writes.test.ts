import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { blobIdFromNumber, blobPath, DsmError } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { silentLog } from "@dsm/log";
import { BlobStore } from "./blob-store.ts";
import { Committer } from "./committer.ts";
import { FileWrites } from "./file-writes.ts";
import { IdLease } from "./id-lease.ts";
import { Journal } from "./journal.ts";
import { decodeRecord } from "./journal-record.ts";
import { Reaper } from "./reaper.ts";

class Bench implements AsyncDisposable {
  readonly root: string;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly writes: FileWrites;
  readonly #stack: AsyncDisposableStack;

  private constructor(root: string, catalog: Catalog, journal: Journal, s: AsyncDisposableStack) {
    this.root = root;
    this.catalog = catalog;
    this.blobs = new BlobStore(root);
    this.#stack = s;
    let next = 1;
    const lease = (count: number) =>
      Promise.resolve({ first: blobIdFromNumber((next += count) - count), count });
    const ids = new IdLease({ lease }, 4);
    const committer = new Committer(journal, catalog);
    this.writes = new FileWrites({ group: "g1", catalog, blobs: this.blobs, ids, committer });
  }

  static async open(): Promise<Bench> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    const catalog = stack.use(await openCatalog(url));
    const journal = stack.use(await Journal.open(dir.path, "s1", "life"));
    return new Bench(dir.path, catalog, journal, stack);
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

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

describe("FileWrites", () => {
  test("the bytes lie at the path of the id, hashed, and the row is there", async () => {
    await using bench = await Bench.open();
    const { file, created } = await bench.put("a", "hello world");
    expect(created).toBe(true);
    expect(file.sha256).toBe(Bun.SHA256.hash("hello world", "hex"));
    expect(await Bun.file(join(bench.root, blobPath(file.blobId))).text()).toBe("hello world");
    expect(await bench.catalog.current("ann", "a")).toEqual({ version: 1, file });
    expect(await bench.journal()).toEqual([{ kind: "put", file }]);
  });

  test("whatever cuts an upload short leaves no blob, no row and no journal record", async () => {
    await using bench = await Bench.open();
    async function* vanishing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1000);
      throw new Error("the client is gone");
    }
    const codes = [
      await codeOf(bench.put("a", "", { body: vanishing() })),
      await codeOf(bench.put("a", "four", { announcedBytes: 5 })),
      await codeOf(bench.put("a", "four", { sha256: "0".repeat(64) })),
    ];
    expect(codes).toEqual(["UPLOAD_INCOMPLETE", "UPLOAD_INCOMPLETE", "DIGEST_MISMATCH"]);
    expect(await bench.blobFiles()).toEqual([]);
    expect(await bench.catalog.current("ann", "a")).toBeUndefined();
    expect(await bench.journal()).toEqual([undefined]);
  });

  test("writers of the same file at the same moment get versions in a row", async () => {
    await using bench = await Bench.open();
    const done = await Promise.all(
      Array.from({ length: 12 }, (_, i) => bench.put("same", `content ${i}`)),
    );
    const versions = done.map(({ file }) => file.version).toSorted((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const records = await bench.journal();
    const key = (id?: string, version?: number) => `${id} ${version}`;
    const closed = new Set(records.map((r) => (r?.kind === "abort" ? key(r.id, r.version) : "")));
    const open = records.flatMap((r) => (r?.kind === "put" ? [r.file] : []));
    const left = open.filter((file) => !closed.has(key(file.blobId, file.version)));
    expect(left).toEqual(done.map(({ file }) => file).toSorted((a, b) => a.version - b.version));
  });

  test("a delete puts the blob into the trash, and the reaper gives its space back", async () => {
    await using bench = await Bench.open();
    await bench.put("a", "one");
    await bench.put("a", "two");
    const { file: other } = await bench.put("b", "stays");
    await bench.delete("a");
    expect(await codeOf(bench.delete("a"))).toBe("FILE_NOT_FOUND");
    expect((await bench.blobFiles()).length).toBe(3);
    await using reaper = new Reaper({
      group: "g1",
      catalog: bench.catalog,
      blobs: bench.blobs,
      trashGraceMs: -1_000,
      reapIntervalMs: 3_600_000,
      log: silentLog,
    });
    expect(await reaper.reap()).toBe(2);
    expect(await bench.blobFiles()).toEqual([other.blobId]);
    expect(await reaper.reap()).toBe(0);
    expect((await bench.put("a", "again")).file.version).toBe(4);
  });
});
