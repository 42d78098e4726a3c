import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { put } from "./conformance/backend.ts";
import { migrateTogether } from "./conformance/migrate-together.ts";
import { migrateCatalog, openCatalog } from "./index.ts";

test("a file that another process keeps locked fails writes, serves reads and recovers", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "catalog.db");
  await migrateCatalog(`sqlite:${path}`);
  await using catalog = await openCatalog(`sqlite:${path}`);
  using other = new Database(path);
  other.run("BEGIN IMMEDIATE");
  const change = put({ user: "ann", fileId: "a" });
  await expect(catalog.commit([change])).rejects.toMatchObject({
    code: "CATALOG_UNAVAILABLE",
    message: expect.stringContaining(path),
  });
  await expect(catalog.leaseSegment("blob", 1)).rejects.toMatchObject({
    code: "CATALOG_UNAVAILABLE",
  });
  expect(await catalog.current("ann", "a")).toBeUndefined();
  other.run("COMMIT");
  expect(await catalog.commit([change])).toEqual(["in force"]);
});

test("the file is in WAL mode and flushed at every commit", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "a folder/ü %41?.db");
  await migrateCatalog(`sqlite:${path}`);
  await using catalog = await openCatalog(`sqlite:${path}`);
  await catalog.assignGroup("ann", "g1", 1);
  using other = new Database(path);
  expect(other.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(await Bun.file(`${path}-wal`).exists()).toBe(true);
});

test("several processes may make and open the same file at once", async () => {
  await using dir = await tempDir();
  // Not every time do two of them want to switch a file to WAL at the same moment.
  const urls = Array.from({ length: 30 }, (_, i) => `sqlite:${join(dir.path, `${i}.db`)}`);
  expect(await migrateTogether(4, urls)).toEqual([]);
});

test("a file that is no catalog says so", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "catalog.db");
  await Bun.write(path, "this is a text and no database, however long one makes it ".repeat(100));
  for (const act of [openCatalog, migrateCatalog]) {
    await expect(act(`sqlite:${path}`)).rejects.toMatchObject({ code: "DATA_CORRUPT" });
  }
  await rm(path);
  await Bun.write(join(path, "a folder"), "");
  for (const act of [openCatalog, migrateCatalog]) {
    await expect(act(`sqlite:${path}`)).rejects.toMatchObject({ code: "CATALOG_UNAVAILABLE" });
  }
});

test("a folder that cannot be made is named", async () => {
  await using dir = await tempDir();
  await Bun.write(join(dir.path, "file"), "");
  const url = `sqlite:${join(dir.path, "file/below/catalog.db")}`;
  await expect(migrateCatalog(url)).rejects.toMatchObject({
    code: "DATA_NOT_WRITABLE",
    message: expect.stringContaining("file/below"),
  });
});
