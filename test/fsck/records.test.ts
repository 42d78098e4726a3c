import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { encodeRecord, journalParts } from "@dsm/journal";
import { blobPath } from "@dsm/protocol";
import { foreignId, laterRecord, putRecord, Scene } from "./scene.ts";

const id = foreignId();

describe("a blob without a row", () => {
  test("of which whole journals say nothing is garbage, once it is old", async () => {
    await using young = await Scene.open({ orphanAgeMs: 60_000 });
    await young.put("a");
    await young.write(blobPath(id), "of an upload under way");
    const now = { blobId: foreignId(1), modifiedAtMs: Date.now() };
    await young.journaled(putRecord({ ...now, bytes: "journaled, and not in the catalog yet" }));
    expect((await young.repair()).told).toEqual([]);
    expect(existsSync(young.at(blobPath(id)))).toBe(true);

    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "left by a crash");
    expect((await s.fsck()).left).toEqual([`orphan ${blobPath(id)}`]);
    expect(existsSync(s.at(blobPath(id)))).toBe(true);
    expect((await s.repair()).findings).toMatchObject([{ repaired: "removed" }]);
    expect(existsSync(s.at(blobPath(id)))).toBe(false);
    expect((await s.fsck()).told).toEqual([]);
  });

  test("whose upload was aborted is garbage", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "lost");
    const abort = encodeRecord({ kind: "abort", id, version: 1, atMs: Date.now() });
    await s.journaled(putRecord({ bytes: "lost" }), abort);
    expect((await s.repair()).findings).toMatchObject([{ kind: "orphan", repaired: "removed" }]);
    expect((await s.fsck()).told).toEqual([]);
  });

  test("that was replaced and forgotten is garbage by the record of what replaced it", async () => {
    await using s = await Scene.open();
    const first = await s.put("a", "first");
    await s.put("a", "second");
    const [entry] = await s.cluster.catalog.trashed({ group: "g1", beforeMs: Infinity, limit: 1 });
    // As the reaper does, but for the bytes: a power cut may bring a name back.
    await s.cluster.catalog.forgetTrashed(entry!);
    const { findings } = await s.repair();
    expect(findings).toMatchObject([{ kind: "orphan", blobId: first.blobId, repaired: "removed" }]);
    expect(await s.read("a")).toBe("second");
    expect((await s.fsck()).told).toEqual([]);
  });

  test("is set aside where any line of any journal is damaged", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "left by a crash");
    await s.journaled("00000000 {broken}\n");
    const { told, findings } = await s.repair();
    expect(told.map((line) => line.split(" ")[0])).toEqual(["journal-damaged", "orphan"]);
    expect(findings[1]?.["repaired"]).toStartWith("moved to lost+found/");
    const [name = ""] = await s.aside();
    expect(await readFile(s.at(`lost+found/${name}`), "utf8")).toBe("left by a crash");
    const note = await Bun.file(s.at(`lost+found/${name}.json`)).json();
    expect(note).toMatchObject({ was: blobPath(id), why: "the journals are not whole" });
  });

  test("is set aside where a row has lost its record, or the catalog is empty", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "perhaps acknowledged");
    await s.editJournals((line) => (line.includes('"put"') ? undefined : line));
    const { told, left } = await s.repair();
    expect([told.length, left]).toEqual([2, []]);
    expect((await s.aside()).length).toBe(1);
    expect((await s.fsck()).told).toEqual([]);

    await using bare = await Scene.open();
    await bare.write(blobPath(id), "perhaps acknowledged");
    await bare.repair();
    expect((await bare.aside()).length).toBe(1);
  });

  test("whose record stands and that nothing is known to have replaced is never deleted", async () => {
    await using s = await Scene.open();
    await s.put("a", "first");
    await s.put("a", "second");
    const [entry] = await s.cluster.catalog.trashed({ group: "g1", beforeMs: Infinity, limit: 1 });
    await rm(s.at(blobPath(entry!.blobId)));
    await s.cluster.catalog.forgetTrashed(entry!);
    // The catalog has come past its version, and the blob that it had there was another one.
    await s.write(blobPath(id), "branch");
    await s.journaled(putRecord({ fileId: "a", version: 1, bytes: "branch" }));
    expect((await s.fsck()).left).toEqual(["orphan a"]);
    expect((await s.repair()).findings).toMatchObject([
      { kind: "orphan", detail: expect.stringContaining("nobody knows what became of version 1") },
    ]);
    const [name = ""] = await s.aside();
    expect(await readFile(s.at(`lost+found/${name}`), "utf8")).toBe("branch");
    const note = await Bun.file(s.at(`lost+found/${name}.json`)).json();
    expect(note.claimedBy).toMatchObject([{ user: "ann", fileId: "a", version: 1, sizeBytes: 6 }]);
    expect((await s.fsck()).told).toEqual([]);
  });

  test("of another branch of the history is never deleted", async () => {
    await using s = await Scene.open();
    await s.put("a", "first");
    const second = await s.put("a", "second");
    // Another branch of the history, as before a catalog was restored: nothing names its end.
    await s.write(blobPath(id), "branch");
    await s.journaled(
      putRecord({ fileId: "a", version: 1, bytes: "branch" }),
      putRecord({ fileId: "a", version: 2, blobId: foreignId(1), bytes: "x", replaces: id }),
    );
    await s.repair();
    await s.repair();
    expect(existsSync(s.at(blobPath(id)))).toBe(false);
    const aside = await Promise.all(
      (await s.aside()).map((name) => readFile(s.at(`lost+found/${name}`), "utf8")),
    );
    expect(aside).toEqual(["branch"]);
    expect(await s.read("a")).toBe("second");
    expect(second.version).toBe(2);
    expect((await s.fsck()).told).toEqual([]);
  });
});

describe("what the catalog has forgotten", () => {
  test("an acknowledged file comes back", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "kept");
    await s.journaled(putRecord({ bytes: "kept", user: "zoe" }), laterRecord());
    expect((await s.fsck()).left).toEqual(["lost-row lost"]);
    expect((await s.repair()).left).toEqual([]);
    expect(await s.read("lost", "zoe")).toBe("kept");
    expect(await s.cluster.catalog.usageOf("zoe")).toMatchObject({ liveBytes: 4, liveFiles: 1 });
    expect((await s.fsck({ digests: true })).told).toEqual([]);
  });

  test("so does one of a user who has another group by now, and it has to move there", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.cluster.catalog.assignGroup("zoe", "g2", 1);
    await s.write(blobPath(id), "kept");
    await s.journaled(putRecord({ bytes: "kept", user: "zoe" }), laterRecord());
    expect((await s.repair()).left).toEqual([]);
    expect(await s.read("lost", "zoe")).toBe("kept");
    expect(await s.cluster.catalog.moves({ to: "g2", limit: 9 })).toMatchObject([
      { user: "zoe", from: "g1", files: 1, bytes: 4 },
    ]);
  });

  test("its row is not put back to bytes that do not fit, and these stay", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "other");
    await s.journaled(putRecord({ bytes: "bytes" }), laterRecord());
    for (const _ of [1, 2]) expect((await s.repair()).left).toEqual(["lost-row lost"]);
    expect(await readFile(s.at(blobPath(id)), "utf8")).toBe("other");
    await rm(s.at(blobPath(id)));
    expect((await s.repair()).left).toEqual(["lost-row lost"]);
    expect(await s.read("lost")).toBe("FILE_NOT_FOUND");
  });

  test("many versions and a delete come back as one chain, and the trash is emptied", async () => {
    await using s = await Scene.open();
    const first = await s.put("a", "1");
    for (const text of ["2", "3"]) await s.put("a", text);
    const kept = await s.put("b", "1");
    await s.put("b", "2");
    await s.delete("b");
    for (const fileId of ["a", "a", "b", "b"]) s.forgetNewest(fileId);
    expect(await s.read("a")).toBe("1");
    const { left } = await s.repair();
    expect(left).toEqual([]);
    expect([await s.read("a"), await s.read("b")]).toEqual(["3", "FILE_NOT_FOUND"]);
    expect((await s.fsck({ digests: true })).told).toEqual([]);
    // Each blob that was replaced is in the trash again, and nothing else.
    const trash = await s.cluster.catalog.trashOf({ user: "ann", limit: 10 });
    expect(trash.map(({ file }) => `${file.fileId}${file.version}`)).toEqual([
      "a1",
      "a2",
      "b1",
      "b2",
    ]);
    expect(trash.map(({ file }) => file.blobId)).toContain(first.blobId);
    expect(trash.map(({ file }) => file.blobId)).toContain(kept.blobId);
  });

  test("what a delete in doubt takes away has its time in the trash", async () => {
    await using s = await Scene.open();
    const { blobId } = await s.put("a");
    const record = { user: "ann", fileId: "a", group: "g1", id, version: 2, replaces: blobId };
    const atMs = Date.now() - 30 * 86_400_000;
    await s.journaled(encodeRecord({ kind: "delete", ...record, atMs }));
    expect((await s.fsck()).left).toEqual(["unsettled a"]);
    expect((await s.repair()).left).toEqual([]);
    expect(await s.read("a")).toBe("FILE_NOT_FOUND");
    const [entry] = await s.cluster.catalog.trashOf({ user: "ann", limit: 1 });
    expect(entry!.trashedAtMs).toBeGreaterThan(Date.now() - 60_000);
    expect((await s.fsck()).told).toEqual([]);
  });
});

describe("a change that a crash cut off", () => {
  test("is put in force when it is whole", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.write(blobPath(id), "cut");
    await s.journaled(putRecord({ bytes: "cut" }));
    expect((await s.fsck()).left).toEqual(["unsettled lost"]);
    expect((await s.repair()).left).toEqual([]);
    expect(await s.read("lost")).toBe("cut");
    expect((await s.fsck()).told).toEqual([]);
  });

  test("is closed when it is not, and the version before it counts", async () => {
    await using s = await Scene.open();
    const { blobId } = await s.put("a");
    await s.write(blobPath(id), "cu");
    await s.journaled(
      putRecord({ fileId: "a", version: 2, bytes: "cut", replaces: blobId }),
      putRecord({ fileId: "b", blobId: foreignId(1), bytes: "never came" }),
    );
    expect((await s.fsck()).left).toEqual(["unsettled a", "unsettled b"]);
    expect((await s.repair()).left).toEqual([]);
    expect([await s.read("a"), await s.read("b")]).toEqual(["the text of a", "FILE_NOT_FOUND"]);
    expect((await s.fsck()).told).toEqual([]);
  });
});

describe("a row", () => {
  test("without its record is journaled again, and so is a delete", async () => {
    await using s = await Scene.open();
    await s.put("a");
    await s.put("b");
    await s.delete("b");
    await s.editJournals((line) => (/"(put|delete)"/.test(line) ? undefined : line));
    expect((await s.fsck()).left).toEqual([
      "not-journaled a",
      "not-journaled b",
      "not-journaled b",
    ]);
    expect((await s.repair()).left).toEqual([]);
    expect((await s.fsck()).told).toEqual([]);
  });

  test("that an abort names, or of which the journal says something else, is told of", async () => {
    await using s = await Scene.open();
    const [a, b] = [await s.put("a"), await s.put("b")];
    const { version } = a;
    await s.journaled(encodeRecord({ kind: "abort", id: a.blobId, version, atMs: Date.now() }));
    await s.editJournals((line) => {
      if (!line.includes(b.blobId)) return line;
      const record = JSON.parse(line.slice(9));
      return encodeRecord({ ...record, file: { ...record.file, sizeBytes: 1 } }).trimEnd();
    });
    const { left, findings } = await s.repair();
    expect(left).toEqual(["aborted-row a", "journal-differs b"]);
    const detail = "sizeBytes is 13 in the catalog and 1 in the journal";
    expect(findings.find(({ kind }) => kind === "journal-differs")).toMatchObject({ detail });
  });
});

test("what its storage is about to settle by itself is left to it, for a while", async () => {
  await using s = await Scene.open();
  await s.put("a");
  await s.write(blobPath(id), "cut");
  await s.journaled(putRecord({ bytes: "cut" }));
  const began = (agoMs: number) =>
    new Date(Date.now() - agoMs).toISOString().replaceAll(/[-:.]/g, "");
  // The storage of that record runs again, since a moment ago or since an hour ago.
  await s.write(`journal/g1-s9/${began(0)}-again-000000.log`, "");
  expect((await s.repair()).told).toEqual([]);
  expect(existsSync(s.at(blobPath(id)))).toBe(true);
  await rm(s.at("journal/g1-s9"), { recursive: true });
  await s.journaled(putRecord({ bytes: "cut" }));
  await s.write(`journal/g1-s9/${began(3_600_000)}-again-000000.log`, "");
  expect((await s.repair()).told).toEqual(["unsettled lost"]);
});

test("what its storage has settled without closing it is not left to it any longer", async () => {
  await using s = await Scene.open();
  await s.put("a");
  await s.write(blobPath(id), "cut");
  await s.journaled(putRecord({ bytes: "cut" }));
  const [part] = await journalParts(s.root, "g1-s9");
  const now = new Date().toISOString().replaceAll(/[-:.]/g, "");
  await s.write(`journal/g1-s9/${now}-again-000000.log`, "");
  const settled = { [part?.path ?? ""]: part?.sizeBytes };
  await s.write("journal/g1-s9/settled.json", JSON.stringify({}));
  expect((await s.fsck()).told).toEqual([]);
  await s.write("journal/g1-s9/settled.json", JSON.stringify(settled));
  expect((await s.fsck()).left).toEqual(["unsettled lost"]);
});
