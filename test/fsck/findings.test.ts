import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, rmdir, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { blobPath, limits, piecesPath } from "@dsm/protocol";
import { foreignId, Scene } from "./scene.ts";

test("fsck finds nothing on a sound group with a history", async () => {
  await using s = await Scene.open();
  for (const fileId of ["a", "b", "c", "a"]) await s.put(fileId, `${fileId} ${Math.random()}`);
  await s.put("large", new Uint8Array(3 * limits.pieceBytes));
  await s.delete("b");
  for (const params of [{}, { digests: true }, { repair: true, digests: true }]) {
    const { findings, done } = await s.fsck(params);
    expect(findings).toEqual([]);
    expect(done).toMatchObject({ group: "g1", blobs: 5, records: 6, findings: {}, repaired: 0 });
  }
  expect(await s.aside()).toEqual([]);
});

describe("bytes", () => {
  test("missing, shortened and changed blobs are told apart, and none is taken away", async () => {
    await using s = await Scene.open();
    const [gone, short, flipped] = [await s.put("gone"), await s.put("short"), await s.put("flip")];
    await rm(s.blob(gone));
    await truncate(s.blob(short), 3);
    await writeFile(s.blob(flipped), "The text of flip");
    expect((await s.fsck()).told).toEqual(["missing gone", "wrong-size short"]);
    const found = ["missing gone", "wrong-digest flip", "wrong-size short"];
    expect((await s.fsck({ digests: true })).left).toEqual(found);
    expect((await s.repair({ digests: true })).left).toEqual(["missing gone"]);
    // Marked by now, so that nobody is given their bytes.
    const after = ["damaged flip", "missing gone", "wrong-size short"];
    expect((await s.fsck({ digests: true })).left).toEqual(after);
    expect((await s.cluster.catalog.current("ann", "flip"))?.file?.damage).toBe("*");
    expect(await readFile(s.blob(flipped), "utf8")).toBe("The text of flip");
    expect(await readFile(s.blob(short), "utf8")).toBe("the");
  });

  // Else a run that is slower than the uploads goes after them for ever.
  test("a blob that was committed after the run began is left to the next one", async () => {
    await using s = await Scene.open();
    const { modifiedAtMs, user, group, version, sizeBytes, sha256, mediaType } = await s.put("a");
    const kept = { user, group, version, sizeBytes, sha256, mediaType, deleted: false };
    const later = { ...kept, fileId: "b", id: foreignId(), atMs: modifiedAtMs + 60_000 };
    await s.cluster.catalog.load({ versions: [later] });
    expect((await s.fsck({ digests: true })).told).not.toContain("missing b");
    const earlier = { ...kept, fileId: "c", id: foreignId(1), atMs: modifiedAtMs };
    await s.cluster.catalog.load({ versions: [earlier] });
    expect((await s.fsck({ digests: true })).told).toContain("missing c");
  });

  test("of a large blob the bad pieces are named", async () => {
    await using s = await Scene.open();
    const bytes = new Uint8Array(4 * limits.pieceBytes);
    const file = await s.put("large", bytes);
    bytes[2 * limits.pieceBytes] = 1;
    await writeFile(s.blob(file), bytes);
    const { findings } = await s.repair({ digests: true });
    expect(findings).toMatchObject([{ kind: "wrong-digest", repaired: "marked as damaged (2)" }]);
    expect((await s.cluster.catalog.current("ann", "large"))?.file?.damage).toBe("2");
  });

  test("a blob in the trash whose bytes are gone is forgotten", async () => {
    await using s = await Scene.open();
    const [first, second] = [await s.put("a"), await s.put("a", "newer")];
    await s.delete("a");
    await rm(s.blob(first));
    await rm(s.blob(second));
    expect((await s.fsck()).left).toEqual(["missing-trash a", "missing-trash a"]);
    expect((await s.repair()).left).toEqual([]);
    expect((await s.fsck()).told).toEqual([]);
    expect(await s.cluster.catalog.usageOf("ann")).toMatchObject({ trashBlobs: 0, trashBytes: 0 });
  });

  test("a file that the disk does not give is told of, and the rest goes on", async () => {
    await using s = await Scene.open();
    const file = await s.put("a");
    const other = await s.put("b");
    await rm(s.blob(file));
    // A link round in a circle: stat fails with ELOOP, as EIO would come from a bad disk.
    await symlink(s.blob(file), s.blob(file));
    await rm(s.blob(other));
    const { told } = await s.repair();
    expect(told).toContain("missing b");
    expect(told).toContain(`wrong-place ${blobPath(file.blobId)}`);
    expect(told).toContain("unreadable a");
  });
});

describe("sidecars", () => {
  const bytes = new Uint8Array(2 * limits.pieceBytes + 5);

  test("missing and damaged ones are made from bytes that fit", async () => {
    await using s = await Scene.open();
    const [gone, bad] = [await s.put("gone", bytes), await s.put("bad", bytes)];
    const good = await readFile(s.at(piecesPath(bad.blobId)));
    await rm(s.at(piecesPath(gone.blobId)));
    const flipped = Uint8Array.from(good, (byte, i) => (i === 50 ? byte ^ 1 : byte));
    await writeFile(s.at(piecesPath(bad.blobId)), flipped);
    expect((await s.fsck()).left).toEqual(["bad-sidecar bad", "no-sidecar gone"]);
    expect((await s.repair()).left).toEqual([]);
    expect((await s.fsck({ digests: true })).told).toEqual([]);
    expect(await readFile(s.at(piecesPath(bad.blobId)))).toEqual(good);
  });

  test("from bytes that do not fit none is made: it would vouch for them", async () => {
    await using s = await Scene.open();
    const file = await s.put("a", bytes);
    await rm(s.at(piecesPath(file.blobId)));
    await writeFile(
      s.blob(file),
      Uint8Array.from(bytes, (_, i) => (i === 7 ? 1 : 0)),
    );
    expect((await s.repair()).left).toEqual(["no-sidecar a"]);
    expect(existsSync(s.at(piecesPath(file.blobId)))).toBe(false);
  });

  test("those of no blob, or of one that needs none, are removed", async () => {
    await using s = await Scene.open();
    const small = await s.put("small");
    const paths = [piecesPath(small.blobId), piecesPath(foreignId())];
    for (const path of paths) await s.write(path, "sums");
    const told = paths.map((path) => `stray-sidecar ${path}`).toSorted();
    expect((await s.fsck()).left).toEqual(told);
    expect((await s.repair()).left).toEqual([]);
    expect(paths.map((path) => existsSync(s.at(path)))).toEqual([false, false]);
    expect((await s.fsck()).told).toEqual([]);
  });
});

describe("places", () => {
  test("a blob that lies elsewhere goes home, and is not missed", async () => {
    await using s = await Scene.open();
    const file = await s.put("a");
    const astray = `blobs/misplaced/deeper/${file.blobId}`;
    await s.write(astray, "");
    await rename(s.blob(file), s.at(astray));
    expect((await s.fsck()).left).toEqual(["missing a", `wrong-place ${astray}`]);
    const { findings } = await s.repair();
    const home = blobPath(file.blobId);
    expect(findings).toMatchObject([{ kind: "wrong-place", repaired: `moved to ${home}` }]);
    expect(await s.read("a")).toBe("the text of a");
    expect(existsSync(s.at("blobs/misplaced"))).toBe(false);
    expect((await s.fsck()).told).toEqual([]);
  });

  test("not over another file, nor with other bytes: then to lost+found", async () => {
    await using s = await Scene.open();
    const [taken, other] = [await s.put("taken"), await s.put("other")];
    const copies = [`blobs/x/${taken.blobId}`, `blobs/x/${other.blobId}`];
    await s.write(copies[0]!, "the text of taken");
    await rm(s.blob(other));
    await s.write(copies[1]!, "other bytes");
    await s.repair();
    expect(await readFile(s.blob(taken), "utf8")).toBe("the text of taken");
    expect(existsSync(s.blob(other))).toBe(false);
    const aside = await s.aside();
    expect(aside.map((name) => name.slice(0, 16)).toSorted()).toEqual(
      [taken.blobId, other.blobId].toSorted(),
    );
    expect((await s.fsck()).told).toEqual(["missing other"]);
  });

  test("foreign files and empty folders go, links stay, and work", async () => {
    await using s = await Scene.open();
    const file = await s.put("a");
    const folder = dirname(s.blob(file));
    await rename(folder, s.at("elsewhere"));
    await symlink(s.at("elsewhere"), folder);
    await s.write("blobs/notes.txt", "of an operator");
    await s.write("pieces/000000000/notes.txt", "of another one");
    await s.write("blobs/empty/inside/x", "");
    await rm(s.at("blobs/empty/inside/x"));
    await s.write("blobs/000000000/.nfs0000001", "removed, and still open");
    const left = [`wrong-place ${dirname(blobPath(file.blobId))}`];
    const all = ["blobs/empty/inside", "blobs/notes.txt", "pieces/000000000/notes.txt"];
    const told = [...all.map((path) => `wrong-place ${path}`), ...left].toSorted();
    expect((await s.fsck()).told).toEqual(told);
    expect((await s.repair()).left).toEqual(left);
    expect((await s.fsck({ digests: true })).told).toEqual(left);
    expect(await s.read("a")).toBe("the text of a");
    expect(existsSync(s.at("blobs/empty"))).toBe(false);
    expect((await s.aside()).map((name) => name.slice(0, 10))).toEqual([
      "notes.txt-",
      "notes.txt-",
    ]);
  });
});

test("where the file system is not mounted nothing is believed, and nothing repaired", async () => {
  await using s = await Scene.open();
  await s.put("a");
  await s.delete("a");
  await s.write(blobPath(foreignId()), "left by a crash");
  await rename(s.root, `${s.root}-away`);
  await mkdir(s.root);
  await expect(s.repair()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  await rmdir(s.root);
  await rename(`${s.root}-away`, s.root);
  expect((await s.fsck()).told).toEqual([`orphan ${blobPath(foreignId())}`]);
});

test("usage that is not the sum of the files is set right", async () => {
  await using s = await Scene.open();
  await s.put("a");
  s.sql("UPDATE user_usage SET live_bytes = live_bytes + 7, trash_blobs = 3");
  expect((await s.fsck()).left).toEqual(["usage ann"]);
  expect((await s.repair()).left).toEqual([]);
  expect((await s.fsck()).told).toEqual([]);
  expect(await s.cluster.catalog.usageOf("ann")).toMatchObject({ liveBytes: 13, trashBlobs: 0 });
});
