import { expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { planUploads } from "./plan.ts";

async function album() {
  const dir = await tempDir();
  await mkdir(join(dir.path, "album/side b"), { recursive: true });
  await writeFile(join(dir.path, "album/1.mp3"), "1");
  await writeFile(join(dir.path, "album/side b/2.mp3"), "2");
  await symlink(dir.path, join(dir.path, "album/loop"));
  await symlink(join(dir.path, "album/1.mp3"), join(dir.path, "one"));
  await symlink(join(dir.path, "album"), join(dir.path, "linked"));
  return dir;
}

test("a folder becomes its files, with the path below it as file id", async () => {
  await using dir = await album();
  const folder = join(dir.path, "album");
  expect(await planUploads([folder], undefined)).toEqual({
    uploads: [
      { path: join(folder, "1.mp3"), fileId: "1.mp3" },
      { path: join(folder, "side b/2.mp3"), fileId: "side b/2.mp3" },
    ],
    skipped: [`${join(folder, "loop")} is left out: it is a symbolic link`],
  });
});

test("links that are named are followed, to files and to folders", async () => {
  await using dir = await album();
  const { uploads } = await planUploads(
    [join(dir.path, "one"), join(dir.path, "linked")],
    undefined,
  );
  expect(uploads.map((it) => it.fileId)).toEqual(["one", "1.mp3", "side b/2.mp3"]);
});

test("--id is for one file alone", async () => {
  await using dir = await album();
  const file = join(dir.path, "album/1.mp3");
  expect((await planUploads([file], "a/b")).uploads).toEqual([{ path: file, fileId: "a/b" }]);
  expect((await planUploads(["-"], "a/b")).uploads).toEqual([{ path: "-", fileId: "a/b" }]);
  const refused = [[file, "-"], [join(dir.path, "album")], [file, file]];
  for (const paths of refused) {
    await expect(planUploads(paths, "a/b")).rejects.toThrow("--id names one file");
  }
});

test("names that cannot be, or are there twice, are found before anything is sent", async () => {
  await using dir = await album();
  const file = join(dir.path, "album/1.mp3");
  await writeFile(join(dir.path, "album/bad\nname"), "");
  await expect(planUploads([join(dir.path, "album")], undefined)).rejects.toThrow(
    "control character",
  );
  await expect(
    planUploads([file, join(dir.path, "album/side b/../1.mp3")], undefined),
  ).rejects.toThrow('would both be "1.mp3"');
  await expect(planUploads(["-"], undefined)).rejects.toThrow("standard input has no name");
  await expect(planUploads([join(dir.path, "none")], undefined)).rejects.toThrow("no such file");
});
