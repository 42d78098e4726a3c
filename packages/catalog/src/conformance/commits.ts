import { expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import { type Backend, deletion, openShared, overwrite, put, uniqueName } from "./backend.ts";

export function describeCommits(backend: Backend): void {
  test("put, overwrite, delete and put again count versions", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("ann");
    expect(await catalog.current(user, "a")).toBeUndefined();
    const first = put({
      user,
      fileId: "a",
      sizeBytes: limits.fileMaxBytes,
      mediaType: "x/ü".padEnd(limits.mediaTypeMaxChars, "é"),
      modifiedAtMs: 4_102_444_800_000,
    });
    expect(await catalog.commit([first])).toEqual(["in force"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 1, file: first.file });
    const second = overwrite(first.file, { sizeBytes: 0 });
    expect(await catalog.commit([second])).toEqual(["in force"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 2, file: second.file });
    expect(await catalog.commit([deletion(second.file)])).toEqual(["in force"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 3 });
    const fourth = put({ user, fileId: "a", version: 4 });
    expect(await catalog.commit([fourth])).toEqual(["in force"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 4, file: fourth.file });
  });

  test("a change whose version does not follow the newest one is not in force", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("bob");
    const first = put({ user, fileId: "a" });
    await catalog.commit([first]);
    const late = put({ user, fileId: "a" });
    const early = overwrite(first.file, { version: 3 });
    expect(await catalog.commit([late, early])).toEqual(["superseded", "superseded"]);
    expect(await catalog.commit([put({ user, fileId: "b", version: 2 })])).toEqual(["superseded"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 1, file: first.file });
    expect(await catalog.current(user, "b")).toBeUndefined();
  });

  test("a change that replaces another blob than the newest one's is not in force", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("hal");
    const first = put({ user, fileId: "a" });
    await catalog.commit([first, put({ user, fileId: "b" })]);
    const wrong = [
      put({ user, fileId: "a", version: 2 }),
      put({ user, fileId: "b", version: 2 }, first.file.blobId),
      put({ user, fileId: "c" }, first.file.blobId),
    ];
    expect(await catalog.commit(wrong)).toEqual(["superseded", "superseded", "superseded"]);
    const gone = deletion(first.file);
    expect(await catalog.commit([gone])).toEqual(["in force"]);
    const again = deletion(first.file, { version: 3 });
    const onTombstone = put({ user, fileId: "a", version: 3 }, gone.id);
    expect(await catalog.commit([again, onTombstone])).toEqual(["superseded", "superseded"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 2 });
  });

  test("the number of a version that was reaped does not become free again", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("cid");
    const group = uniqueName("g");
    const first = put({ user, fileId: "a", group });
    const second = overwrite(first.file);
    const third = overwrite(second.file);
    for (const change of [first, second, third]) await catalog.commit([change]);
    const trash = await catalog.trashed({ group, beforeMs: 9_000, limit: 9 });
    for (const blob of trash) await catalog.forgetTrashed(blob);
    expect(await catalog.commit([put({ user, fileId: "a", group })])).toEqual(["superseded"]);
    expect(await catalog.commit([overwrite(first.file)])).toEqual(["superseded"]);
    expect(await catalog.current(user, "a")).toEqual({ version: 3, file: third.file });
  });

  test("the same id again is in force and changes nothing", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("dan");
    const first = put({ user, fileId: "a" });
    const second = overwrite(first.file);
    await catalog.commit([first]);
    await catalog.commit([second]);
    expect(await catalog.commit([first, second, second])).toEqual([
      "in force",
      "in force",
      "in force",
    ]);
    expect(await catalog.current(user, "a")).toEqual({ version: 2, file: second.file });
    const stranger = put({ user, fileId: "b", blobId: first.file.blobId });
    expect(await catalog.commit([stranger])).toEqual(["superseded"]);
  });

  test("the same change twice in a batch is one change", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("fay");
    await catalog.assignGroup(user, "g1", 1);
    const one = put({ user, fileId: "a", sizeBytes: 5 });
    const stranger = put({ user, fileId: "b", blobId: one.file.blobId });
    const outcomes = ["in force", "in force", "superseded"] as const;
    for (const _ of [1, 2])
      expect(await catalog.commit([one, one, stranger])).toEqual([...outcomes]);
    expect(await catalog.usageOf(user)).toMatchObject({ liveFiles: 1, liveBytes: 5 });
  });

  test("a batch of the largest size tells its changes apart", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("eve");
    const taken = put({ user, fileId: "taken" });
    await catalog.commit([taken]);
    const long = "ü".repeat(limits.fileIdMaxBytes / 2 - 2);
    const batch = Array.from({ length: limits.commitBatchMax }, (_, i) =>
      put({ user, fileId: i % 8 === 7 ? "taken" : `${long}${i}` }),
    );
    const expected = batch.map((_, i) => (i % 8 === 7 ? "superseded" : "in force"));
    expect(await catalog.commit(batch)).toEqual(expected);
    expect(await catalog.commit(batch)).toEqual(expected);
    expect(await catalog.commit([])).toEqual([]);
    const tooMany = [...batch, put({ user, fileId: "z" })];
    await expect(catalog.commit(tooMany)).rejects.toThrow(RangeError);
  });

  test("a closed catalog finishes what runs, refuses the rest, and may be closed twice", async () => {
    const catalog = await openShared(backend);
    const user = uniqueName("gus");
    const running = [1, 2, 3].map((n) => catalog.commit([put({ user, fileId: `f${n}` })]));
    await Promise.all([catalog.close(), catalog.close()]);
    expect(await Promise.all(running)).toEqual([["in force"], ["in force"], ["in force"]]);
    const closed = { code: "CATALOG_UNAVAILABLE" };
    await expect(catalog.groupOf(user)).rejects.toMatchObject(closed);
    const late = catalog.commit([put({ user, fileId: "a" })]);
    await expect(late).rejects.toMatchObject(closed);
  });

  test("of two versions of one file in a batch one is in force", async () => {
    await using catalog = await openShared(backend);
    const user = uniqueName("fay");
    const batch = [put({ user, fileId: "a" }), put({ user, fileId: "a" })];
    const inForce = await catalog.commit(batch);
    expect(inForce.toSorted()).toEqual(["in force", "superseded"]);
    const winner = batch[inForce.indexOf("in force")];
    expect((await catalog.current(user, "a"))?.file).toEqual(winner?.file as never);
  });
}
