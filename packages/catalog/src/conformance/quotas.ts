import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, type CommitOutcome, openCatalog } from "../index.ts";
import { type Backend, deletion, openShared, overwrite, put, uniqueName } from "./backend.ts";

async function userWith(catalog: Catalog, quotaBytes: number): Promise<string> {
  const user = uniqueName("ann");
  await catalog.assignGroup(user, "g1", 1);
  await catalog.setQuota(user, quotaBytes, 2);
  return user;
}

async function liveBytesOf(catalog: Catalog, user: string): Promise<number | undefined> {
  return (await catalog.usageOf(user))?.liveBytes;
}

const count = (outcomes: readonly CommitOutcome[], outcome: CommitOutcome) =>
  outcomes.filter((each) => each === outcome).length;

const fixture = join(import.meta.dir, "usage-race-fixture.ts");

export function describeQuotas(backend: Backend): void {
  test("a quota holds for what a file adds, and is told", async () => {
    await using catalog = await openShared(backend);
    const user = await userWith(catalog, 100);
    const first = put({ user, fileId: "a", sizeBytes: 90 });
    expect(await catalog.commit([first])).toEqual(["in force"]);
    const more = put({ user, fileId: "b", sizeBytes: 11 });
    expect(await catalog.commit([more])).toEqual(["over quota"]);
    const grown = overwrite(first.file, { sizeBytes: 101 });
    expect(await catalog.commit([grown])).toEqual(["over quota"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 1, file: first.file });
    expect(await catalog.commit([overwrite(first.file, { sizeBytes: 100 })])).toEqual(["in force"]);
    const space = { liveFiles: 1, liveBytes: 100, trashBlobs: 1, trashBytes: 90 };
    const usage = { user, group: "g1", quotaBytes: 100, ...space };
    expect(await catalog.usageOf(user)).toEqual(usage);
  });

  test("who is over a quota that was lowered may shrink and delete", async () => {
    await using catalog = await openShared(backend);
    const user = await userWith(catalog, 100);
    const [a, b] = [
      put({ user, fileId: "a", sizeBytes: 50 }),
      put({ user, fileId: "b", sizeBytes: 50 }),
    ];
    expect(await catalog.commit([a, b])).toEqual(["in force", "in force"]);
    await catalog.setQuota(user, 10, 3);
    expect(await catalog.commit([overwrite(a.file, { sizeBytes: 50 })])).toEqual(["in force"]);
    expect(await catalog.commit([put({ user, fileId: "c", sizeBytes: 1 })])).toEqual([
      "over quota",
    ]);
    expect(await catalog.commit([deletion(b.file)])).toEqual(["in force"]);
    await catalog.setQuota(user, undefined, 4);
    const large = put({ user, fileId: "c", sizeBytes: 1e9 });
    expect(await catalog.commit([large])).toEqual(["in force"]);
  });

  test("a batch fills a quota to the byte, for each user by its own", async () => {
    await using catalog = await openShared(backend);
    const [bound, other] = [await userWith(catalog, 30), uniqueName("bob")];
    await catalog.assignGroup(other, "g1", 1);
    const batch = Array.from({ length: 8 }, (_, i) => [
      put({ user: bound, fileId: `f${i}`, sizeBytes: 10 }),
      put({ user: other, fileId: `f${i}`, sizeBytes: 10 }),
    ]).flat();
    const outcomes = await catalog.commit(batch);
    expect([count(outcomes, "in force"), count(outcomes, "over quota")]).toEqual([11, 5]);
    // Tried again, what is there is in force and is not counted twice.
    expect(await catalog.commit(batch)).toEqual(outcomes);
    expect([await liveBytesOf(catalog, bound), await liveBytesOf(catalog, other)]).toEqual([
      30, 80,
    ]);
  });

  test("commits at the same moment never pass a quota together", async () => {
    await using one = await openShared(backend);
    await using two = await openShared(backend);
    const user = await userWith(one, 95);
    const batches = Array.from({ length: 20 }, (_, i) => [
      put({ user, fileId: `f${i}`, sizeBytes: 10 }),
    ]);
    const outcomes = await Promise.all(
      batches.map((batch, i) => (i % 2 === 0 ? one : two).commit(batch)),
    );
    expect(count(outcomes.flat(), "in force")).toBe(9);
    expect(await liveBytesOf(two, user)).toBe(90);
  });

  test("what does not follow the newest version is superseded, however large", async () => {
    await using catalog = await openShared(backend);
    const user = await userWith(catalog, 100);
    const first = put({ user, fileId: "a", sizeBytes: 60 });
    await catalog.commit([first]);
    // Whoever reads the newest version finds that it has room once it replaces that one.
    const unaware = put({ user, fileId: "a", sizeBytes: 60 });
    expect(await catalog.commit([unaware])).toEqual(["superseded"]);
    const aware = overwrite(first.file, { sizeBytes: 100 });
    const next = overwrite(aware.file, { sizeBytes: 100 });
    // A batch does not see itself, with a quota as without.
    expect(await catalog.commit([aware, next, aware])).toEqual([
      ...(["in force", "superseded", "in force"] as const),
    ]);
    expect(await liveBytesOf(catalog, user)).toBe(100);
  });

  test("what was replaced is in the trash of its own group, also after a move", async () => {
    await using catalog = await openShared(backend);
    const [g1, g2] = [uniqueName("g"), uniqueName("g")];
    for (const user of [await userWith(catalog, 1_000), uniqueName("bob")]) {
      const old = put({ user, fileId: "a", group: g1, sizeBytes: 30 });
      await catalog.commit([old]);
      await catalog.commit([overwrite(old.file, { group: g2, sizeBytes: 40 })]);
    }
    const nothing = { liveFiles: 0, liveBytes: 0, trashBlobs: 0, trashBytes: 0 };
    expect(await catalog.usageOfGroup(g1)).toEqual({ ...nothing, trashBlobs: 2, trashBytes: 60 });
    expect(await catalog.usageOfGroup(g2)).toEqual({ ...nothing, liveFiles: 2, liveBytes: 80 });
    const query = { beforeMs: 9_999, limit: 9 };
    expect(await catalog.trashed({ ...query, group: g2 })).toEqual([]);
    const due = await catalog.trashed({ ...query, group: g1 });
    for (const blob of [...due, ...due]) await catalog.forgetTrashed(blob);
    expect(await catalog.usageOfGroup(g1)).toEqual(nothing);
  });

  test("processes fill a quota to the byte, and reap the same trash once", async () => {
    const url = await backend.sharedUrl();
    await using catalog = await openCatalog(url);
    const [user, group] = [uniqueName("cid"), uniqueName("g")];
    await catalog.assignGroup(user, group, 1);
    await catalog.setQuota(user, 1_005, 2);
    const children = [0, 1, 2].map((n) =>
      Bun.spawn([process.execPath, fixture, url, user, group, `${n}`], {
        stdout: "pipe",
        stderr: "inherit",
      }),
    );
    const made = await Promise.all(children.map(async ({ stdout }) => Number(await stdout.text())));
    expect(made.reduce((sum, each) => sum + each, 0)).toBe(100);
    for (const blob of await catalog.trashed({ group, beforeMs: 2 ** 50, limit: 200 })) {
      await catalog.forgetTrashed(blob);
    }
    const space = { liveFiles: 100, liveBytes: 1_000, trashBlobs: 0, trashBytes: 0 };
    expect(await catalog.usageOf(user)).toEqual({ user, group, quotaBytes: 1_005, ...space });
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("nobody has a quota who is not there", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("nobody");
    await expect(catalog.setQuota(user, 1, 1)).rejects.toMatchObject({ code: "USER_NOT_FOUND" });
    expect(await catalog.usageOf(user)).toBeUndefined();
    const known = await userWith(catalog, 5);
    await catalog.setQuota(known, 5, 2);
  });
}
