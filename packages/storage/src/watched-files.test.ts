import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { blobIdFromNumber, DsmError, type FileInfo, limits } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { WatchedFiles } from "./watched-files.ts";

const trashGraceMs = 60_000;

/** A real catalog, cut off when the test says so, and a clock that it sets. */
class Bench implements AsyncDisposable {
  readonly #catalog: Catalog;
  readonly #stack: AsyncDisposableStack;
  readonly watched: WatchedFiles;
  nowMs = 1_000_000;
  asked = 0;
  isDown = false;
  #nextId = 1;
  #version = 0;
  #current: FileInfo | undefined;

  private constructor(catalog: Catalog, stack: AsyncDisposableStack) {
    this.#catalog = catalog;
    this.#stack = stack;
    this.watched = new WatchedFiles({
      catalog: { current: (user, fileId) => this.#ask(user, fileId) },
      trashGraceMs,
      now: () => this.nowMs,
    });
  }

  static async open(): Promise<Bench> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    return new Bench(stack.use(await openCatalog(url)), stack);
  }

  async put(life: Pick<FileInfo, "expiresAtMs"> = {}): Promise<FileInfo> {
    const replaces = this.#current?.blobId;
    const file: FileInfo = {
      user: "ann",
      fileId: "f",
      group: "g1",
      blobId: blobIdFromNumber(this.#nextId++),
      version: ++this.#version,
      sizeBytes: 1,
      sha256: "0".repeat(64),
      mediaType: "video/mp4",
      modifiedAtMs: this.nowMs,
      ...life,
    };
    const change = { kind: "put", file, ...(replaces === undefined ? {} : { replaces }) } as const;
    expect(await this.#catalog.commit([change])).toEqual(["in force"]);
    this.#current = file;
    return file;
  }

  async delete(): Promise<void> {
    const { user, fileId, group, blobId: replaces } = this.#current!;
    const id = blobIdFromNumber(this.#nextId++);
    const version = ++this.#version;
    const atMs = this.nowMs;
    const change = { kind: "delete", user, fileId, group, id, version, replaces, atMs } as const;
    expect(await this.#catalog.commit([change])).toEqual(["in force"]);
    this.#current = undefined;
  }

  /** `readable`, or the code of the refusal. */
  async read(file: FileInfo): Promise<string> {
    try {
      await this.watched.assertReadable(file);
      return "readable";
    } catch (error) {
      return error instanceof DsmError ? error.code : String(error);
    }
  }

  later(): void {
    this.nowMs += limits.watchedFreshnessMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #ask(user: string, fileId: string) {
    this.asked++;
    if (!this.isDown) return this.#catalog.current(user, fileId);
    return Promise.reject(new DsmError("CATALOG_UNAVAILABLE", "as the test wants it"));
  }
}

test("however many read a file, the catalog is asked once in a while", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  const reads = Array.from({ length: 100 }, () => bench.read(file));
  expect(new Set(await Promise.all(reads))).toEqual(new Set(["readable"]));
  expect(await bench.read(file)).toBe("readable");
  expect(bench.asked).toBe(1);
  bench.later();
  expect(await bench.read(file)).toBe("readable");
  expect(bench.asked).toBe(2);
});

test("a delete by another member is seen soon, and one by this member at once", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  await bench.read(file);
  await bench.delete();
  bench.later();
  expect(await bench.read(file)).toBe("FILE_NOT_FOUND");

  const next = await bench.put();
  bench.later();
  expect(await bench.read(next)).toBe("readable");
  await bench.delete();
  bench.watched.forget(next.user, next.fileId);
  expect(await bench.read(next)).toBe("FILE_NOT_FOUND");
});

test("a replaced version is served as long as its bytes are kept, and then refused", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  const next = await bench.put();
  expect([await bench.read(file), await bench.read(next)]).toEqual(["readable", "readable"]);
  bench.nowMs += trashGraceMs - 1;
  expect(await bench.read(file)).toBe("readable");
  bench.nowMs += 1;
  expect([await bench.read(file), await bench.read(next)]).toEqual([
    "PRECONDITION_FAILED",
    "readable",
  ]);
});

test("a version that was deleted does not come back with a new upload of that name", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  await bench.delete();
  const next = await bench.put();
  expect([await bench.read(file), await bench.read(next)]).toEqual([
    "PRECONDITION_FAILED",
    "readable",
  ]);
});

test("an answer that is older than the capability says nothing against it", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  expect(await bench.read({ ...file, version: 2, blobId: blobIdFromNumber(9) })).toBe("readable");
});

test("an outage of the catalog sends nobody away, and brings nothing back", async () => {
  await using bench = await Bench.open();
  const file = await bench.put();
  bench.isDown = true;
  expect(await bench.read(file)).toBe("readable");
  bench.isDown = false;
  bench.later();
  await bench.delete();
  // The first one after the outage does not wait, and asks.
  const isGone = async () => (await bench.read(file)) === "FILE_NOT_FOUND";
  await until("the end of the outage is noticed", isGone);
  bench.isDown = true;
  for (let n = 0; n < 3; n++) {
    bench.later();
    expect(await bench.read(file)).toBe("FILE_NOT_FOUND");
  }
});

test("a version whose file has expired is gone, whichever one the reader has", async () => {
  await using bench = await Bench.open();
  const old = await bench.put();
  const file = await bench.put({ expiresAtMs: bench.nowMs + 100 });
  expect([await bench.read(old), await bench.read(file)]).toEqual(["readable", "readable"]);
  bench.nowMs += 100;
  expect([await bench.read(old), await bench.read(file)]).toEqual([
    "FILE_NOT_FOUND",
    "FILE_NOT_FOUND",
  ]);
});
