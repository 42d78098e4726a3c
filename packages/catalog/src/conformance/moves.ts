import { expect, test } from "bun:test";
import {
  type Backend,
  deletion,
  nextId,
  openShared,
  overwrite,
  put,
  uniqueName,
} from "./backend.ts";
import type { Catalog } from "../index.ts";
import type { FileInfo } from "@dsm/protocol";

function movesOf(catalog: Catalog, user: string) {
  return catalog.moves({ user, limit: 10 });
}

/** As a storage of the new group does it. */
function moved(file: FileInfo, group: string, atMs: number) {
  return { ...overwrite(file, { group, sizeBytes: file.sizeBytes }), atMs };
}

export function describeMoves(backend: Backend): void {
  test("a user moves at once, and files that lie elsewhere are to follow", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("dan");
    await catalog.assignGroup(user, "g1", 1);
    const [a, b] = [put({ user, fileId: "a" }), put({ user, fileId: "b", sizeBytes: 30 })];
    await catalog.commit([a, b]);
    expect(await movesOf(catalog, user)).toEqual([]);
    await catalog.reassignGroup(user, "g2", 2);
    expect(await catalog.groupOf(user)).toBe("g2");
    const move = { user, from: "g1", to: "g2" };
    expect(await movesOf(catalog, user)).toEqual([{ ...move, files: 2, bytes: 37 }]);
    expect(await catalog.moves({ to: uniqueName("nowhere"), limit: 10 })).toEqual([]);
    const elsewhere = { user, group: "g2", limit: 10 };
    expect(await catalog.filesElsewhere(elsewhere)).toEqual([a.file, b.file]);
    expect(await catalog.filesElsewhere({ ...elsewhere, after: "a" })).toEqual([b.file]);

    const change = moved(a.file, "g2", 5_000);
    expect(await catalog.commit([change])).toEqual(["in force"]);
    // The file is as old as it was, and the old blob is in the trash from now on.
    expect((await catalog.current(user, "a"))?.file).toEqual(change.file);
    expect(change.file.modifiedAtMs).toBe(a.file.modifiedAtMs);
    expect(await catalog.trashEntryOf(a.file.blobId)).toMatchObject({
      atMs: 5_000,
      trashGroup: "g1",
    });
    const [row] = await catalog.rowsOf([change.file.blobId]);
    expect(row).toMatchObject({ atMs: 5_000, modifiedAtMs: 1_000, group: "g2" });
    expect(await movesOf(catalog, user)).toEqual([{ ...move, files: 1, bytes: 30 }]);
    await catalog.commit([{ ...deletion(b.file), group: "g2" }]);
    expect(await movesOf(catalog, user)).toEqual([]);
    expect(await catalog.filesElsewhere(elsewhere)).toEqual([]);
    expect(await catalog.usageOf(user)).toMatchObject({ liveFiles: 1, liveBytes: 7 });
  });

  test("an upload that was under way to the group before is found too", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("eve");
    await catalog.assignGroup(user, "g1", 1);
    await catalog.reassignGroup(user, "g2", 2);
    expect(await movesOf(catalog, user)).toEqual([]);
    await catalog.commit([put({ user, fileId: "late" })]);
    expect(await movesOf(catalog, user)).toMatchObject([{ from: "g1", to: "g2", files: 1 }]);
  });

  test("who goes back has nothing to move, and who goes on moves from both", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("fay");
    await catalog.assignGroup(user, "g1", 1);
    await catalog.commit([put({ user, fileId: "a" })]);
    await catalog.reassignGroup(user, "g2", 2);
    await catalog.commit([put({ user, fileId: "b", group: "g2" })]);
    await catalog.reassignGroup(user, "g3", 3);
    expect(await movesOf(catalog, user)).toMatchObject([
      { from: "g1", to: "g3", files: 1 },
      { from: "g2", to: "g3", files: 1 },
    ]);
    expect(await catalog.moves({ user, limit: 1, after: { user, from: "g1" } })).toMatchObject([
      { from: "g2" },
    ]);
    await catalog.reassignGroup(user, "g1", 4);
    expect(await movesOf(catalog, user)).toMatchObject([{ from: "g2", to: "g1", files: 1 }]);
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("a quota counts a file once while its two blobs are there", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("gil");
    await catalog.assignGroup(user, "g1", 1);
    await catalog.setQuota(user, 10, 1);
    const { file, ...rest } = put({ user, fileId: "a", sizeBytes: 10 });
    await catalog.commit([{ file, ...rest }]);
    await catalog.reassignGroup(user, "g2", 2);
    expect(await catalog.commit([moved(file, "g2", 5_000)])).toEqual(["in force"]);
    expect(await catalog.usageOf(user)).toMatchObject({ liveBytes: 10, trashBytes: 10 });
  });

  test("moves are known again after a restore", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("hal");
    const users = [{ name: user, group: "g2", assignedAtMs: 1, updatedAtMs: 1 }];
    const { file } = put({ user, fileId: "a" });
    const { fileId, version, group, sizeBytes, sha256, mediaType, blobId: id } = file;
    const row = { user, fileId, version, group, sizeBytes, sha256, mediaType, id };
    await catalog.load({ users, versions: [{ ...row, atMs: 1, deleted: false }] });
    await catalog.checkUsage({ repair: true });
    expect(await movesOf(catalog, user)).toMatchObject([{ from: "g1", to: "g2", files: 1 }]);
  });

  test("the first id of a group stays, and no two groups have the same", async () => {
    await using catalog = await openShared(backend);
    const [one, two] = [uniqueName("g"), uniqueName("g")];
    const ids = [crypto.randomUUID(), crypto.randomUUID()] as const;
    expect(await catalog.groupIdOf(one)).toBeUndefined();
    expect(await catalog.claimGroupId(one, ids[0], 5)).toBe(ids[0]);
    expect(await catalog.claimGroupId(one, ids[1], 6)).toBe(ids[0]);
    expect(await catalog.claimGroupId(one, ids[0], 7)).toBe(ids[0]);
    expect(await catalog.groupIdOf(one)).toBe(ids[0]);
    await expect(catalog.claimGroupId(two, ids[0], 8)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining(`group ${one} has it`),
    });
    const groups = (await catalog.groups()).filter(({ name }) => name === one || name === two);
    expect(groups).toEqual([{ name: one, id: ids[0], createdAtMs: 5 }]);
    expect(await catalog.snapshot(async (at) => at.groups())).toContainEqual(groups[0]!);
    const loaded = { name: two, id: ids[1], createdAtMs: 9 };
    await catalog.load({ groups: [loaded, { ...loaded, name: one, id: nextId() }] });
    expect(await catalog.groupIdOf(two)).toBe(ids[1]);
    expect(await catalog.groupIdOf(one)).toBe(ids[0]);
  });
}
