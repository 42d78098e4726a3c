import { expect, test } from "bun:test";
import { chmod, stat, writeFile } from "node:fs/promises";
import { tempDir } from "@dsm/testkit";
import {
  clusterFilePath,
  readClusterFile,
  removeClusterFile,
  writeClusterFile,
} from "./cluster-file.ts";

const file = {
  trackers: ["127.0.0.1:7600"],
  secret: "s".repeat(32),
  http: "http://127.0.0.1:8080",
  storages: [],
  pid: 1,
  linkKeys: [`k1:${"k".repeat(64)}`],
};

test("what dsm up writes is read back, and is for its owner alone", async () => {
  await using dir = await tempDir();
  expect(await readClusterFile(dir.path)).toBeUndefined();
  // A file of an older start, open to all, is replaced and does not hand on its mode.
  await writeFile(clusterFilePath(dir.path), "{}");
  await chmod(clusterFilePath(dir.path), 0o644);
  await writeClusterFile(dir.path, file);
  expect(await readClusterFile(dir.path)).toEqual(file);
  expect((await stat(clusterFilePath(dir.path))).mode & 0o777).toBe(0o600);
  await removeClusterFile(dir.path);
  await removeClusterFile(dir.path);
  expect(await readClusterFile(dir.path)).toBeUndefined();
});

test("a broken one is named", async () => {
  await using dir = await tempDir();
  for (const text of ["", "[]", "null", '{"trackers":[]}', '{"trackers":["a:1"]}']) {
    await writeFile(clusterFilePath(dir.path), text);
    await expect(readClusterFile(dir.path)).rejects.toThrow("cluster.json cannot be used");
  }
});
