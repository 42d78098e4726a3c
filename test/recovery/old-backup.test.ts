import { expect, test } from "bun:test";
import { access, copyFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { readRecords } from "@dsm/journal";
import { createLog } from "@dsm/log";
import { blobPath } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { runCatalog } from "./backup-fixture.ts";

const content = new Uint8Array(1_000).fill(7);

test("storages drop nothing that only the catalog before the restore knew", async () => {
  await using dir = await tempDir();
  const options = { dataDir: dir.path, storages: 1, doubtSettleMs: 50 };
  const url = `sqlite:${join(dir.path, "catalog.db")}`;
  const backup = join(dir.path, "backup.ndjson");
  let late: string;
  {
    await using cluster = await startCluster(options);
    await using client = cluster.client();
    await client.upload({ user: "ann", fileId: "early", source: bytesSource(content) });
    expect((await runCatalog(["backup", backup, "--catalog", url])).code).toBe(0);
    const { file } = await client.upload({
      user: "ann",
      fileId: "late",
      source: bytesSource(content),
    });
    late = join(cluster.groupRoot("g1"), blobPath(file.blobId));
  }
  for (const ending of ["", "-wal", "-shm"]) {
    await rm(join(dir.path, `catalog.db${ending}`), { force: true });
  }
  expect((await runCatalog(["restore", backup, "--catalog", url])).code).toBe(0);
  await using cluster = await startCluster(options);
  await using client = cluster.client();
  const settled = Bun.file(join(cluster.groupRoot("g1"), "journal/g1-s1/settled.json"));
  await until("the life before is settled", async () => (await settled.text()).includes(".log"));
  expect(await isThere(late)).toBe(true);
  const lines = await Array.fromAsync(readRecords(cluster.groupRoot("g1")));
  expect(lines.filter((line) => "record" in line && line.record.kind === "abort")).toEqual([]);
  expect((await client.stat("ann", "early")).sizeBytes).toBe(content.length);
});

test("a copy of the catalog that is put back after a clean stop costs no bytes", async () => {
  await using dir = await tempDir();
  const options = { dataDir: dir.path, storages: 2, doubtSettleMs: 50 };
  const file = join(dir.path, "catalog.db");
  const copy = join(dir.path, "copy.db");
  await uploadIn(options, "early");
  await copyFile(file, copy);
  const late = await uploadIn(options, "late");
  for (const ending of ["", "-wal", "-shm"]) await rm(`${file}${ending}`, { force: true });
  await copyFile(copy, file);
  await using cluster = await startCluster(options);
  const root = cluster.groupRoot("g1");
  for (const id of ["g1-s1", "g1-s2"]) {
    const path = join(root, "journal", id, "settled.json");
    const parts = () => readFile(path, "utf8").then((text) => text.split(".log").length - 1);
    await until("both lives before are settled", async () => (await parts()) === 2);
  }
  expect(await isThere(join(root, late))).toBe(true);
  const lines = await Array.fromAsync(readRecords(root));
  expect(lines.filter((line) => "record" in line && line.record.kind === "abort")).toEqual([]);
});

test("storages that were killed find out that a copy was put back, and touch nothing", async () => {
  await using dir = await tempDir();
  const told: string[] = [];
  const log = createLog("error", { write: (line: string) => void told.push(line) });
  const options = { dataDir: dir.path, storages: 1, doubtSettleMs: 50 };
  const file = join(dir.path, "catalog.db");
  const copy = join(dir.path, "copy.db");
  await uploadIn(options, "early");
  await copyFile(file, copy);
  let late: string;
  {
    await using cluster = await startCluster(options);
    await using client = cluster.client();
    const source = bytesSource(content);
    const uploaded = await client.upload({ user: "ann", fileId: "late", source });
    late = blobPath(uploaded.file.blobId);
    for (const storage of cluster.storages) await storage.kill();
  }
  for (const ending of ["", "-wal", "-shm"]) await rm(`${file}${ending}`, { force: true });
  await copyFile(copy, file);
  await using cluster = await startCluster({ ...options, log });
  const root = cluster.groupRoot("g1");
  await until("it is told of", () => /has lost version 1 of .*late/.test(told.join()));
  expect(await isThere(join(root, late))).toBe(true);
  const lines = await Array.fromAsync(readRecords(root));
  expect(lines.filter((line) => "record" in line && line.record.kind === "abort")).toEqual([]);
});

/** @returns the path of its blob, below the root of the group */
async function uploadIn(options: Parameters<typeof startCluster>[0], fileId: string) {
  await using cluster = await startCluster(options);
  await using client = cluster.client();
  const source = bytesSource(content);
  return blobPath((await client.upload({ user: "ann", fileId, source })).file.blobId);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
