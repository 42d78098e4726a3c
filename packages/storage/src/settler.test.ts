import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, type Change, migrateCatalog, openCatalog } from "@dsm/catalog";
import { Journal, type JournalRecord, readRecords } from "@dsm/journal";
import { silentLog } from "@dsm/log";
import { type BlobId, limits } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { BlobStore } from "./blob-store.ts";
import { abortOf } from "./commit-group.ts";
import { recordsInDoubt } from "./earlier-lives.ts";
import { AnsweredChanges } from "./answered-changes.ts";
import { setBlobAside } from "./fsck/lost-found.ts";
import { markLifeSettled } from "./settled-parts.ts";
import { Settler } from "./settler.ts";
import { putOf } from "./testing/changes.ts";

const settleAfterMs = 400;

class Scene implements AsyncDisposable {
  readonly root: string;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly #stack: AsyncDisposableStack;

  private constructor(root: string, catalog: Catalog, stack: AsyncDisposableStack) {
    this.root = root;
    this.catalog = catalog;
    this.blobs = new BlobStore(root, { blobsSyncThemselves: false, blobSyncEveryBytes: undefined });
    this.#stack = stack;
  }

  static async open(): Promise<Scene> {
    const stack = new AsyncDisposableStack();
    const { path: root } = stack.use(await tempDir());
    const url = `sqlite:${join(root, "catalog.db")}`;
    await migrateCatalog(url);
    const catalog = stack.use(await openCatalog(url));
    await catalog.assignGroup("ann", "g1", 1);
    return new Scene(root, catalog, stack);
  }

  /** A life of storage s1 that ends, whatever is still in doubt. */
  async life(name: string, records: readonly JournalRecord[]): Promise<void> {
    await using journal = await Journal.open(this.root, "s1", name);
    await journal.append(records);
  }

  /** Notes, as that life has, that these were in force. */
  async answer(incarnation: string, changes: readonly Change[]): Promise<void> {
    const place = { root: this.root, storageId: "s1", incarnation };
    await using answered = await AnsweredChanges.open(place, true, silentLog);
    await answered.note(changes);
  }

  /** A put with its blob, and with its row or without. */
  async put(n: number, { inForce }: { inForce: boolean }): Promise<Change> {
    const change = putOf(n);
    await this.blobs.write(change.file.blobId, Buffer.from("x"));
    if (inForce) await this.catalog.commit([change]);
    return change;
  }

  readonly setAside = async (id: BlobId): Promise<void> => {
    await setBlobAside(this.root, id, {});
  };

  async settler(life: string, catalog: Pick<Catalog, "rowsOf"> = this.catalog): Promise<Settler> {
    const journal = this.#stack.use(await Journal.open(this.root, "s1", life));
    const options = {
      journal,
      catalog,
      blobs: this.blobs,
      setAside: this.setAside,
      log: silentLog,
      settleAfterMs,
    };
    return this.#stack.use(new Settler(options));
  }

  /** What a life with the name b finds of those before it. */
  inDoubt(gap?: { fromMs: number; untilMs: number }) {
    const { root } = this;
    const { catalog: whole } = this;
    const catalog = {
      rowsOf: (ids: Parameters<Catalog["rowsOf"]>[0]) => whole.rowsOf(ids),
      current: (user: string, fileId: string) => whole.current(user, fileId),
      restoredGap: () => (gap === undefined ? whole.restoredGap() : Promise.resolve(gap)),
    };
    return recordsInDoubt({ root, storageId: "s1", ownLife: "b", catalog });
  }

  async blobIds(): Promise<string[]> {
    const all = await readdir(join(this.root, "blobs"), { recursive: true, withFileTypes: true });
    return all.filter((entry) => entry.isFile()).map(({ name }) => name);
  }

  async aborted(): Promise<string[]> {
    const lines = await Array.fromAsync(readRecords(this.root));
    return lines.flatMap((line) =>
      "record" in line && line.record.kind === "abort" ? [line.record.id] : [],
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

describe("Settler", () => {
  test("a row is kept; without one the record is closed and the blob removed", async () => {
    await using scene = await Scene.open();
    const settler = await scene.settler("a");
    const [kept, dropped] = [putOf(1).file.blobId, putOf(2).file.blobId];
    settler.add(await scene.put(1, { inForce: true }));
    settler.add(await scene.put(2, { inForce: false }));
    await until("both are settled", () => settler.pending === 0);
    expect([await scene.blobIds(), await scene.aborted()]).toEqual([[kept], [dropped]]);
  });

  test("not before every statement is over: a late row is kept", async () => {
    await using scene = await Scene.open();
    const settler = await scene.settler("a");
    // The next round is due before this doubt is old enough, whenever it came in between.
    await Bun.sleep(0.7 * settleAfterMs);
    const change = await scene.put(1, { inForce: false });
    settler.add(change);
    await Bun.sleep(0.5 * settleAfterMs);
    await scene.catalog.commit([change]);
    await until("it is settled", () => settler.pending === 0);
    expect([(await scene.blobIds()).length, await scene.aborted()]).toEqual([1, []]);
  });

  test("a blob that lost once and was tried again keeps its bytes", async () => {
    await using scene = await Scene.open();
    const settler = await scene.settler("a");
    const change = putOf(2, "same");
    await scene.catalog.commit([putOf(1, "same")]);
    await scene.blobs.write(change.file.blobId, Buffer.from("x"));
    const { blobId } = putOf(1).file;
    const again = { ...change, file: { ...change.file, version: 2 }, replaces: blobId };
    await scene.catalog.commit([again]);
    settler.add(change);
    await until("it is settled", () => settler.pending === 0);
    expect([await scene.blobIds(), await scene.aborted()]).toEqual([
      [change.file.blobId],
      [change.file.blobId],
    ]);
  });

  test("while the catalog is down nothing is decided", async () => {
    await using scene = await Scene.open();
    let asked = 0;
    const settler = await scene.settler("a", {
      rowsOf: (ids) => {
        if (++asked < 3) throw new Error("down");
        return scene.catalog.rowsOf(ids);
      },
    });
    settler.add(await scene.put(1, { inForce: true }));
    await until("it is settled", () => settler.pending === 0);
    expect(asked).toBe(3);
    expect((await scene.blobIds()).length).toBe(1);
  });
});

describe("what earlier lives left in doubt", () => {
  test("is found once, less what is closed, and settled like the rest", async () => {
    await using scene = await Scene.open();
    const inForce = await scene.put(1, { inForce: true });
    const closed = putOf(2);
    const open = await scene.put(3, { inForce: false });
    await scene.life("a", [inForce, closed, abortOf(closed), open]);
    const settler = await scene.settler("b");
    const inDoubt = await scene.inDoubt();
    expect(inDoubt.changes).toEqual([open]);
    await settler.settleAll(inDoubt.changes, { neverAcknowledged: inDoubt.isProven });
    await inDoubt.settled();
    expect([await scene.blobIds(), await scene.aborted()]).toEqual([
      [putOf(1).file.blobId],
      [putOf(2).file.blobId, putOf(3).file.blobId],
    ]);
    // This life has left no proof that nobody was told of it.
    const lost = await readdir(join(scene.root, "lost+found"));
    expect(lost.some((name) => name.startsWith(putOf(3).file.blobId))).toBe(true);
    expect((await scene.inDoubt()).changes).toEqual([]);
    // The life of a worker that is still running goes on, and its part grows.
    await scene.life("c", [putOf(4)]);
    expect((await scene.inDoubt()).changes).toEqual([putOf(4)]);
  });

  test("is found among thousands that are in force", async () => {
    await using scene = await Scene.open();
    const puts = Array.from({ length: 2_500 }, (_, n) => putOf(n + 1));
    const isOpen = (n: number) => n % 800 === 0;
    const inForce = puts.filter((_, n) => !isOpen(n));
    for (let start = 0; start < inForce.length; start += limits.commitBatchMax) {
      await scene.catalog.commit(inForce.slice(start, start + limits.commitBatchMax));
    }
    await scene.life("a", puts);
    expect((await scene.inDoubt()).changes).toEqual(puts.filter((_, n) => isOpen(n)));
  });

  test("is looked for near the end of a life only", async () => {
    await using scene = await Scene.open();
    const old = putOf(1);
    const long = { ...old, file: { ...old.file, modifiedAtMs: Date.now() - 3_600_000 } };
    const last = putOf(2);
    await scene.life("a", [long, last]);
    expect((await scene.inDoubt()).changes).toEqual([last]);
  });

  test("is left open only where a restored catalog knows nothing of its time", async () => {
    await using scene = await Scene.open();
    await scene.life("a", [putOf(1)]);
    const atMs = Date.now();
    const dayMs = 86_400_000;
    const during = { fromMs: atMs - dayMs, untilMs: atMs };
    expect((await scene.inDoubt(during)).changes).toEqual([]);
    expect((await scene.inDoubt({ ...during, untilMs: Infinity })).changes).toEqual([]);
    const before = { fromMs: atMs - 2 * dayMs, untilMs: atMs - dayMs };
    expect((await scene.inDoubt(before)).changes).toEqual([putOf(1)]);
  });

  test("is nothing of a life that has said at its end that all is decided", async () => {
    await using scene = await Scene.open();
    for (const life of ["a1", "a2"]) await scene.life(life, [putOf(1)]);
    // Two workers that end together.
    await Promise.all(["a1", "a2"].map((life) => markLifeSettled(scene.root, "s1", life)));
    const inDoubt = await scene.inDoubt();
    expect(inDoubt.changes).toEqual([]);
    await inDoubt.settled();
    expect((await scene.inDoubt()).changes).toEqual([]);
    const names = await readdir(join(scene.root, "journal", "s1"));
    expect(names.filter((name) => name.endsWith(".json"))).toEqual(["settled.json"]);
  });

  test("is garbage where the life has noted all its answers, and it is not among them", async () => {
    await using scene = await Scene.open();
    const answered = await scene.put(1, { inForce: true });
    const open = await scene.put(2, { inForce: false });
    await scene.life("a", [answered, open]);
    await scene.answer("a", [answered]);
    const inDoubt = await scene.inDoubt();
    expect([inDoubt.changes, inDoubt.catalogWentBack]).toEqual([[open], undefined]);
    const settler = await scene.settler("b");
    await settler.settleAll(inDoubt.changes, { neverAcknowledged: inDoubt.isProven });
    expect(await scene.blobIds()).toEqual([putOf(1).file.blobId]);
    expect(await readdir(scene.root)).not.toContain("lost+found");
  });

  test("proves that the catalog went back, where an answered change has no row", async () => {
    await using scene = await Scene.open();
    const answered = await scene.put(1, { inForce: false });
    await scene.life("a", [answered, putOf(2)]);
    await scene.answer("a", [answered]);
    const { catalogWentBack } = await scene.inDoubt();
    expect(catalogWentBack?.message).toContain("has lost version 1");
  });

  test("is none where there was no life, or the mark is nonsense", async () => {
    await using scene = await Scene.open();
    expect((await scene.inDoubt()).changes).toEqual([]);
    await scene.life("a", [putOf(1)]);
    await Bun.write(join(scene.root, "journal", "s1", "settled.json"), '{"x": "y"');
    expect((await scene.inDoubt()).changes).toEqual([putOf(1)]);
  });
});
