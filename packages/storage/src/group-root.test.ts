import { expect, test } from "bun:test";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { groupMark, groupMarkerName } from "@dsm/delivery";
import { DsmError } from "@dsm/protocol";
import { mountTmpfs, tempDir, tmpfsMissing } from "@dsm/testkit";
import { claimGroupRoot } from "./group-root.ts";

const group = "g1";

/** A catalog of its own, and folders that are not there yet. */
async function scene() {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(await tempDir());
  const url = `sqlite:${join(dir.path, "catalog.db")}`;
  await migrateCatalog(url);
  const catalog: Catalog = cleanup.use(await openCatalog(url));
  const parts = cleanup.move();
  return {
    catalog,
    folder: (name: string) => join(dir.path, name),
    claim: (root: string) => claimGroupRoot({ root, group, catalog }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

test("the first storage makes the marker and the row, the others find them equal", async () => {
  await using at = await scene();
  const root = at.folder("new/g1");
  await Promise.all(Array.from({ length: 8 }, () => at.claim(root)));
  const id = await at.catalog.groupIdOf(group);
  expect(id).toBeString();
  expect(await groupMark(root)).toEqual({ group, id: id! });
  // No draft stays behind.
  expect((await readdir(root)).toSorted()).toEqual(["blobs", groupMarkerName, "journal"]);
});

test("a bare folder of a known group is refused, nothing is written, and anew goes as told", async () => {
  await using at = await scene();
  await at.claim(at.folder("mounted"));
  const bare = at.folder("bare");
  await mkdir(bare);
  const refused = await at.claim(bare).catch((error: unknown) => DsmError.from(error, "claiming"));
  expect(refused?.code).toBe("BAD_CONFIG");
  expect(refused?.message).toContain("is its file system mounted there?");
  expect(await readdir(bare)).toEqual([]);
  await expect(at.claim(at.folder("absent"))).rejects.toMatchObject({ code: "BAD_CONFIG" });
  await writeFile(join(bare, groupMarkerName), refused!.remedy!.split("'")[1]!);
  await at.claim(bare);
});

test.skipIf(tmpfsMissing !== undefined)(
  "the folder below a mount is no group once the mount has gone",
  async () => {
    await using at = await scene();
    let below: string;
    {
      await using mount = await mountTmpfs({ sizeBytes: 1 << 20 });
      below = mount.path;
      await at.claim(below);
      await at.claim(below);
    }
    await expect(at.claim(below)).rejects.toMatchObject({ code: "BAD_CONFIG" });
  },
);

test("a marker of another cluster, and one of another group, are refused", async () => {
  await using at = await scene();
  await using other = await scene();
  await at.claim(at.folder("ours"));
  const theirs = other.folder("theirs");
  await other.claim(theirs);
  const before = await readFile(join(theirs, groupMarkerName), "utf8");
  await expect(at.claim(theirs)).rejects.toMatchObject({
    code: "BAD_CONFIG",
    message: expect.stringContaining("another file system"),
  });
  const { catalog } = at;
  await expect(claimGroupRoot({ root: theirs, group: "g2", catalog })).rejects.toMatchObject({
    code: "BAD_CONFIG",
    message: expect.stringContaining("belongs to group g1"),
  });
  expect(await catalog.groupIdOf("g2")).toBeUndefined();
  expect(await readFile(join(theirs, groupMarkerName), "utf8")).toBe(before);
});

test("of two folders in which one group begins at once, one is refused", async () => {
  await using at = await scene();
  const ends = await Promise.allSettled(["a", "b"].map((name) => at.claim(at.folder(name))));
  expect(ends.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("a rebuilt catalog takes the id of the marker", async () => {
  await using at = await scene();
  await using rebuilt = await scene();
  const root = at.folder("g1");
  await at.claim(root);
  await rebuilt.claim(root);
  const id = await rebuilt.catalog.groupIdOf(group);
  expect(await groupMark(root)).toEqual({ group, id: id! });
});

test("a marker of a dsm that knew no ids gets one, the same for all who bring it", async () => {
  await using at = await scene();
  const root = at.folder("old");
  await mkdir(root);
  await writeFile(join(root, groupMarkerName), `{"group":"${group}"}\n`);
  await Promise.all(Array.from({ length: 8 }, () => at.claim(root)));
  const id = await at.catalog.groupIdOf(group);
  expect(id).toBeString();
  expect(await groupMark(root)).toEqual({ group, id: id! });
});
