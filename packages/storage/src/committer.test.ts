import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, type Change, migrateCatalog, openCatalog } from "@dsm/catalog";
import { Journal, type JournalRecord, readRecords } from "@dsm/journal";
import { DsmError, limits } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { CommitInDoubt } from "./commit-group.ts";
import { Committer, type CommitterOptions } from "./committer.ts";
import { FileSync } from "./sync/file-sync.ts";
import type { GroupSync } from "./sync/group-sync.ts";
import { putOf } from "./testing/changes.ts";

/** Real journal, disk and catalog; each step is noted, and may be made to fail before or after. */
class Steps implements AsyncDisposable {
  readonly root: string;
  readonly catalog: Catalog;
  readonly seen: string[] = [];
  readonly doubts: Change[] = [];
  /** Called before each step of that name; what it throws is what the step fails with. */
  beforeSync: () => Promise<void> | void = () => {};
  beforeCommit: () => void = () => {};
  /** The statement has done its work by then: its answer is lost. */
  afterCommit: () => void = () => {};
  readonly #stack: AsyncDisposableStack;
  readonly #journal: Journal;
  readonly #sync: FileSync;

  private constructor(
    root: string,
    parts: { catalog: Catalog; journal: Journal },
    stack: AsyncDisposableStack,
  ) {
    this.root = root;
    this.catalog = parts.catalog;
    this.#journal = parts.journal;
    this.#sync = new FileSync(root);
    this.#stack = stack;
  }

  static async open(): Promise<Steps> {
    const stack = new AsyncDisposableStack();
    const { path: root } = stack.use(await tempDir());
    const url = `sqlite:${join(root, "catalog.db")}`;
    await migrateCatalog(url);
    const catalog = stack.use(await openCatalog(url));
    await catalog.assignGroup("ann", "g1", 1);
    const journal = stack.use(await Journal.open(root, "s1", "life"));
    return new Steps(root, { catalog, journal }, stack);
  }

  committer(over: Partial<CommitterOptions> = {}): Committer {
    const sync: GroupSync = {
      blobsSyncThemselves: true,
      blobSyncEveryBytes: undefined,
      sync: async (journal, directories) => {
        this.seen.push("sync");
        await this.beforeSync();
        await this.#sync.sync(journal, directories);
        this.seen.push("synced");
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const commit: Catalog["commit"] = async (changes) => {
      this.seen.push(`commit ${changes.length}`);
      this.beforeCommit();
      const outcomes = await this.catalog.commit(changes);
      this.afterCommit();
      return outcomes;
    };
    const onDoubt = (change: Change) => void this.doubts.push(change);
    return new Committer({ journal: this.#journal, catalog: { commit }, sync, onDoubt, ...over });
  }

  async records(): Promise<JournalRecord[]> {
    const lines = await Array.fromAsync(readRecords(this.root));
    return lines.flatMap((line) => ("record" in line ? [line.record] : []));
  }

  async isThere(fileId: string): Promise<boolean> {
    return (await this.catalog.current("ann", fileId))?.file !== undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    (outcome) => String(outcome),
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

const diskFails = () => {
  throw new DsmError("STORAGE_FAILED", "EIO");
};
const catalogFails = () => {
  throw new DsmError("CATALOG_UNAVAILABLE", "it is gone");
};

describe("Committer", () => {
  test("uploads that come together share one sync and one statement, in this order", async () => {
    await using steps = await Steps.open();
    const committer = steps.committer();
    const outcomes = await Promise.all(range(1, 40).map((n) => committer.commit(putOf(n))));
    expect(new Set(outcomes)).toEqual(new Set(["in force"]));
    expect(steps.seen).toEqual(["sync", "synced", "commit 40"]);
    expect((await steps.records()).length).toBe(40);
  });

  test("with groups of one each upload has its own", async () => {
    await using steps = await Steps.open();
    const committer = steps.committer({ groupMax: 1 });
    await Promise.all(range(1, 5).map((n) => committer.commit(putOf(n))));
    expect(steps.seen.filter((step) => step === "synced").length).toBe(5);
    expect(steps.seen.filter((step) => step === "commit 1").length).toBe(5);
  });

  test("while one group is at the catalog the next one is being synced", async () => {
    await using steps = await Steps.open();
    let tries = 0;
    steps.beforeCommit = () => {
      if (++tries <= 2) catalogFails();
    };
    const committer = steps.committer();
    const first = committer.commit(putOf(1));
    await Bun.sleep(0);
    await Promise.all([first, committer.commit(putOf(2))]);
    const secondSync = steps.seen.lastIndexOf("synced");
    expect(secondSync).toBeLessThan(steps.seen.findLastIndex((step) => step.startsWith("commit")));
    expect(await steps.isThere("f2")).toBe(true);
  });

  test("a failed sync acknowledges nothing of its group, and its records are closed", async () => {
    await using steps = await Steps.open();
    steps.beforeSync = diskFails;
    const committer = steps.committer();
    const codes = await Promise.all(range(1, 5).map((n) => codeOf(committer.commit(putOf(n)))));
    expect(new Set(codes)).toEqual(new Set(["STORAGE_FAILED"]));
    steps.beforeSync = () => {};
    expect(await committer.commit(putOf(6))).toBe("in force");
    await committer.idle();
    expect(steps.seen.filter((step) => step.startsWith("commit"))).toEqual(["commit 1"]);
    for (const n of range(1, 5)) expect(await steps.isThere(`f${n}`)).toBe(false);
    // The aborts of the first try met the broken disk too; those changes are settled later.
    const aborted = (await steps.records()).filter(({ kind }) => kind === "abort").length;
    expect(aborted + steps.doubts.length).toBeGreaterThanOrEqual(5);
  });

  test("of two changes of one file in a group the first wins, and the other is closed", async () => {
    await using steps = await Steps.open();
    const committer = steps.committer();
    const outcomes = await Promise.all([1, 2].map((n) => committer.commit(putOf(n, "same"))));
    expect(outcomes).toEqual(["in force", "superseded"]);
    const { blobId: id } = putOf(2).file;
    expect((await steps.records()).at(-1)).toMatchObject({ kind: "abort", id, version: 1 });
  });

  test("a statement whose answer was lost is sent again, and counts once", async () => {
    await using steps = await Steps.open();
    let lost = 3;
    steps.afterCommit = () => {
      if (lost-- > 0) catalogFails();
    };
    const committer = steps.committer();
    const outcomes = await Promise.all(range(1, 3).map((n) => committer.commit(putOf(n))));
    expect(outcomes).toEqual(["in force", "in force", "in force"]);
    expect(steps.doubts).toEqual([]);
    expect((await steps.records()).map(({ kind }) => kind)).toEqual(["put", "put", "put"]);
  });

  test("after the limit the change is in doubt, and the record stays open", async () => {
    await using steps = await Steps.open();
    steps.beforeCommit = catalogFails;
    const committer = steps.committer({ waitMs: 200 });
    const failed = await committer.commit(putOf(1)).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(CommitInDoubt);
    expect(steps.doubts.map(({ kind }) => kind)).toEqual(["put"]);
    expect((await steps.records()).map(({ kind }) => kind)).toEqual(["put"]);
    steps.beforeCommit = () => {};
    expect(await committer.commit(putOf(2))).toBe("in force");
  });

  test("the line has an end: who comes when it is full is told so at once", async () => {
    await using steps = await Steps.open();
    const blocked = Promise.withResolvers<void>();
    steps.beforeSync = () => blocked.promise;
    const committer = steps.committer();
    const waiting = range(1, limits.commitQueueMax + limits.commitBatchMax + 1);
    const codes = waiting.map((n) => codeOf(committer.commit(putOf(n))));
    expect(await Promise.race(codes)).toBe("OVERLOADED");
    blocked.resolve();
    const counts = Map.groupBy(await Promise.all(codes), (code) => code);
    expect([...counts.keys()].toSorted()).toEqual(["OVERLOADED", "in force"]);
    expect(counts.get("in force")?.length).toBeLessThanOrEqual(
      limits.commitQueueMax + limits.commitBatchMax,
    );
  });
});
