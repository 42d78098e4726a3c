import { describe, expect, test } from "bun:test";
import { type FileInfo, limits } from "@dsm/protocol";
import { type Catalog, migrateCatalog, openCatalog, type VersionRow } from "../index.ts";
import { type Backend, deletion, openShared, overwrite, put, uniqueName } from "./backend.ts";

/** A user of a group of its own, with a file of each kind. */
async function fixture(catalog: Catalog) {
  const [user, group] = [uniqueName("ann"), uniqueName("g")];
  await catalog.assignGroup(user, group, 5);
  const plain = put({ user, group, fileId: "plain", sizeBytes: 1 });
  const replaced = put({ user, group, fileId: "replaced", sizeBytes: 2 });
  const deleted = put({ user, group, fileId: "deleted", sizeBytes: 4 });
  const expiring = put({ user, group, fileId: "expiring", sizeBytes: 8, expiresAtMs: 500 });
  await catalog.commit([plain, replaced, deleted, expiring]);
  const newer = overwrite(replaced.file, { sizeBytes: 16, modifiedAtMs: 2_000 });
  await catalog.commit([newer, deletion(deleted.file, { atMs: 3_000 })]);
  const files = {
    plain: plain.file,
    replaced: replaced.file,
    deleted: deleted.file,
    expiring: expiring.file,
    newer: newer.file,
  };
  return { user, group, files };
}

/** The first version of a file as a row. */
function rowOf({ user, fileId, group, blobId, sizeBytes }: FileInfo): VersionRow {
  const rest = { deleted: false, sha256: "", mediaType: "", atMs: 1 };
  return { user, fileId, version: 1, id: blobId, group, sizeBytes, ...rest };
}

async function allVersions(catalog: Pick<Catalog, "versions">, limit: number) {
  const rows: VersionRow[] = [];
  for (;;) {
    const last = rows.at(-1);
    const page = await catalog.versions({ limit, ...(last === undefined ? {} : { after: last }) });
    rows.push(...page);
    if (page.length < limit) return rows;
  }
}

export function describeUpkeep(backend: Backend): void {
  test("blobs come by id, live ones and those in the trash", async () => {
    await using catalog = await openShared(backend);
    const { group, files } = await fixture(catalog);
    const { plain, replaced, deleted, expiring, newer } = files;
    const first = await catalog.blobs({ group, limit: 3 });
    expect(first).toEqual([
      { file: plain, state: "live" },
      { file: replaced, state: "trash" },
      { file: deleted, state: "trash" },
    ]);
    expect(await catalog.blobs({ group, limit: 3, after: deleted.blobId })).toEqual([
      { file: expiring, state: "live" },
      { file: newer, state: "live" },
    ]);
  });

  test("the trash of a user says what was deleted and what was replaced", async () => {
    await using catalog = await openShared(backend);
    const { user, group, files } = await fixture(catalog);
    const { replaced, deleted } = files;
    const all = await catalog.trashOf({ user, limit: 9 });
    expect(all).toEqual([
      { file: replaced, trashedAtMs: 2_000, wasDeleted: false },
      { file: deleted, trashedAtMs: 3_000, wasDeleted: true },
    ]);
    expect(await catalog.trashOf({ user, limit: 9, prefix: "del" })).toEqual(all.slice(1));
    expect(await catalog.trashOf({ user, limit: 9, after: replaced.blobId })).toEqual(all.slice(1));
    expect(await catalog.trashOf({ user, limit: 1 })).toEqual(all.slice(0, 1));
    const due = await catalog.trashed({ group, beforeMs: 9_999, limit: 9 });
    for (const blob of [...due, ...due]) await catalog.forgetTrashed(blob);
    expect(await catalog.trashOf({ user, limit: 9 })).toEqual([]);
    const space = { liveFiles: 3, liveBytes: 25, trashBlobs: 0, trashBytes: 0 };
    expect(await catalog.usageOfGroup(group)).toEqual(space);
  });

  test("an expired file is not listed, and is found by who removes it", async () => {
    await using catalog = await openShared(backend);
    const { user, group, files } = await fixture(catalog);
    const listed = async (nowMs: number) =>
      (await catalog.list({ user, limit: 9, nowMs })).files.map(({ fileId }) => fileId);
    expect(await listed(499)).toEqual(["expiring", "plain", "replaced"]);
    expect(await listed(500)).toEqual(["plain", "replaced"]);
    // It stays the newest version, so that versions go on from there.
    expect((await catalog.current(user, "expiring"))?.file).toEqual(files.expiring);
    expect(await catalog.expired({ group, beforeMs: 499, limit: 9 })).toEqual([]);
    expect(await catalog.expired({ group, beforeMs: 500, limit: 9 })).toEqual([files.expiring]);
    await catalog.commit([overwrite(files.expiring)]);
    const renewed = await catalog.current(user, "expiring");
    expect(renewed?.file?.expiresAtMs).toBe(500);
    await catalog.commit([deletion(renewed!.file!)]);
    expect(await catalog.expired({ group, beforeMs: 500, limit: 9 })).toEqual([]);
  });

  test("damage is marked, listed and taken away", async () => {
    await using catalog = await openShared(backend);
    const { user, group, files } = await fixture(catalog);
    const { plain } = files;
    await catalog.markDamage(plain.blobId, "3,17-20");
    const damaged = { ...plain, damage: "3,17-20" };
    expect((await catalog.current(user, "plain"))?.file).toEqual(damaged);
    expect(await catalog.damaged({ group, limit: 9 })).toEqual([{ file: damaged, state: "live" }]);
    await catalog.markDamage(plain.blobId, undefined);
    expect(await catalog.damaged({ group, limit: 9 })).toEqual([]);
  });

  test("rows are found by id, and equal blobs by their digest", async () => {
    await using catalog = await openShared(backend);
    const { user, files } = await fixture(catalog);
    const { plain, replaced } = files;
    const rows = await catalog.rowsOf([plain.blobId, replaced.blobId, "ffffffffffffffff" as never]);
    expect(rows.map(({ id }) => id).toSorted()).toEqual([plain.blobId, replaced.blobId]);
    const equal = await catalog.blobsWith(user, plain.sha256);
    expect(equal).toHaveLength(5);
    expect(await catalog.blobsWith(user, "00".repeat(32))).toEqual([]);
  });

  test("users come by name, and those of a group that changed", async () => {
    await using catalog = await openShared(backend);
    const { user, group } = await fixture(catalog);
    await catalog.setQuota(user, 7, 70);
    const row = { name: user, group, assignedAtMs: 5, quotaBytes: 7, updatedAtMs: 70 };
    expect(await catalog.users({ group, sinceMs: 70, limit: 9 })).toEqual([row]);
    expect(await catalog.users({ group, sinceMs: 71, limit: 9 })).toEqual([]);
    expect(await catalog.users({ group, limit: 9, after: user })).toEqual([]);
  });

  describe("a whole catalog", () => {
    const open = async () => {
      const url = await backend.emptyUrl();
      await migrateCatalog(url);
      return openCatalog(url);
    };

    test("is empty until something was written", async () => {
      await using catalog = await open();
      expect(await catalog.isEmpty()).toBe(true);
      await catalog.leaseSegment("ids", 1);
      expect(await catalog.isEmpty()).toBe(false);
    });

    test("is read at one moment while others write, and loaded elsewhere", async () => {
      await using from = await open();
      await using to = await open();
      const { user, group, files } = await fixture(from);
      await from.leaseSegment("ids", 5);
      const before = await allVersions(from, limits.listMax);
      const copy = await from.snapshot(async (at) => {
        await from.commit([put({ user, group, fileId: "late" }), overwrite(files.plain)]);
        return {
          users: await at.users({ limit: 9 }),
          versions: await allVersions(at, 2),
          segments: await at.segments(),
        };
      });
      expect(copy.versions).toEqual(before);
      expect(await allVersions(from, limits.listMax)).toHaveLength(before.length + 2);
      for (const _ of [1, 2]) await to.load(copy);
      expect(await allVersions(to, 3)).toEqual(before);
      expect([await to.users({ limit: 9 }), await to.segments()]).toEqual([
        copy.users,
        copy.segments,
      ]);
      await to.load({ segments: [{ name: "ids", next: 3 }] });
      expect(await to.segments()).toEqual([{ name: "ids", next: 6 }]);
      await to.load({ segments: [{ name: "ids", next: 9 }] });
      expect(await to.segments()).toEqual([{ name: "ids", next: 9 }]);
    });

    test("says where its usage is not the sum of its versions, and sets it right", async () => {
      await using from = await open();
      await using to = await open();
      const { user, group } = await fixture(from);
      expect(await from.checkUsage({ repair: false })).toEqual([]);
      const [versions, users] = [await allVersions(from, 9), await from.users({ limit: 9 })];
      await to.load({ versions, users });
      const actual = { liveFiles: 3, liveBytes: 25, trashBlobs: 2, trashBytes: 6 };
      const counted = { liveFiles: 0, liveBytes: 0, trashBlobs: 0, trashBytes: 0 };
      const fault = { user, group, counted, actual };
      for (const repair of [false, true]) expect(await to.checkUsage({ repair })).toEqual([fault]);
      expect(await to.checkUsage({ repair: false })).toEqual([]);
      expect(await to.usageOf(user)).toEqual(await from.usageOf(user));
    });

    test("usage is set right once, whoever repairs and writes at the same moment", async () => {
      const url = await backend.emptyUrl();
      await migrateCatalog(url);
      await using one = await openCatalog(url);
      await using two = await openCatalog(url);
      const { user, group, files } = await fixture(one);
      await backend.query(url, "UPDATE user_usage SET live_bytes = 5, trash_blobs = 7");
      // Nothing is counted of a user whose rows were put back.
      const bob = put({ user: "bob", group, fileId: "b", sizeBytes: 3 }).file;
      await one.load({ versions: [rowOf(bob)] });
      const write = async (catalog: Catalog, name: string) => {
        let file = put({ user: "bob", group, fileId: name }).file;
        await catalog.commit([{ kind: "put", file }]);
        for (let i = 0; i < 10; i++) {
          const next = overwrite(file, { sizeBytes: i });
          expect(await catalog.commit([next])).toEqual(["in force"]);
          file = next.file;
        }
      };
      await Promise.all([
        ...[one, two, one, two].map((catalog, i) => write(catalog, `w${i}`)),
        ...[one, two, one].map((catalog) => catalog.checkUsage({ repair: true })),
        one.commit([overwrite(files.plain, { sizeBytes: 100 })]),
      ]);
      expect(await two.checkUsage({ repair: false })).toEqual([]);
      expect(await one.usageOf(user)).toMatchObject({ liveBytes: 124, trashBlobs: 3 });
      const space = { liveFiles: 8, liveBytes: 163, trashBlobs: 43 };
      expect(await one.usageOfGroup(group)).toMatchObject(space);
    });

    test("the usage of many users is compared, each with its own files", async () => {
      const url = await backend.emptyUrl();
      await migrateCatalog(url);
      await using catalog = await openCatalog(url);
      const names = Array.from({ length: 450 }, (_, i) => `u${i}`);
      const versions = names.flatMap((user, i) =>
        [0, 1, 2].map((n) => rowOf(put({ user, fileId: `f${n}`, sizeBytes: i }).file)),
      );
      await catalog.load({ versions });
      // One that is counted, but has nothing, and is the last of all.
      await backend.query(url, "INSERT INTO user_usage VALUES ('zoe', 'g1', 1, 2, 0, 0, NULL)");
      const faults = await catalog.checkUsage({ repair: true });
      // A file of nothing is a file.
      expect(faults.map(({ user }) => user).toSorted()).toEqual([...names, "zoe"].toSorted());
      expect(await catalog.checkUsage({ repair: false })).toEqual([]);
      const all = { liveFiles: 1_350, liveBytes: (3 * 450 * 449) / 2 };
      expect(await catalog.usageOfGroup("g1")).toMatchObject(all);
    });
  });
}
