import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import {
  blobPath,
  DsmError,
  type Emptied,
  type FileInfo,
  limits,
  type TrashPage,
  type UserUsage,
} from "@dsm/protocol";
import {
  collect,
  jsonOf,
  mariaDbMissing,
  mountTmpfs,
  startMariaDb,
  tempDir,
  tmpfsMissing,
  until,
} from "@dsm/testkit";
import { startWorker } from "./storage-worker.ts";

setDefaultTimeout(60_000);

const largeBytes = 1_500_000;
const bytesOf = (seed: number, sizeBytes = largeBytes) =>
  Buffer.from(Array.from({ length: sizeBytes }, (_, i) => (i * 31 + seed) % 253));

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

const missing = mariaDbMissing();

for (const kind of ["sqlite", "mariadb"] as const) {
  const why = kind === "mariadb" ? missing : undefined;
  const title = why === undefined ? kind : `${kind} (${why})`;

  describe.skipIf(why !== undefined)(`the trash, ${title}`, () => {
    const stack = new AsyncDisposableStack();
    let cluster: Cluster;
    let client: DsmClient;

    beforeAll(async () => {
      const dir = stack.use(await tempDir());
      const server = kind === "mariadb" ? stack.use(await startMariaDb()) : undefined;
      const catalogUrl = await server?.createDatabase();
      const catalog = catalogUrl === undefined ? {} : { catalogUrl };
      cluster = stack.use(
        await startCluster({ dataDir: dir.path, writeKey: "the key", ...catalog }),
      );
      client = stack.use(cluster.client());
    });
    afterAll(() => stack.disposeAsync());

    const put = (user: string, fileId: string, bytes: Buffer, overwrite = false) =>
      client.upload({ user, fileId, source: bytesSource(bytes), overwrite });

    const read = async (user: string, fileId: string) =>
      Buffer.from(await collect((await client.open({ user, fileId })).body));

    /** The bytes of all blobs on the disk, each name counted. */
    async function bytesOnDisk(): Promise<number> {
      const folder = join(cluster.groupRoot("g1"), "blobs");
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      const sizes = files.map(async (it) => (await stat(join(it.parentPath, it.name))).size);
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    }

    /** What the catalog counts is what lies there. */
    async function expectCounted(): Promise<void> {
      const { liveBytes, trashBytes } = await client.groupUsage("g1");
      expect(liveBytes + trashBytes).toBe(await bytesOnDisk());
      expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
    }

    test("gives deleted and replaced files back, of their own bytes, when the old ones are gone too", async () => {
      const [first, second] = [bytesOf(1), bytesOf(2)];
      await put("ann", "film", first);
      const replaced = await put("ann", "film", second, true);
      await client.delete({ user: "ann", fileId: "film" });
      const { blobs } = await client.trash({ user: "ann", limit: 10 });
      expect(blobs.map(({ file, wasDeleted }) => [file.version, wasDeleted])).toEqual([
        [1, false],
        [2, true],
      ]);
      // The newest one first; an older one by its blob, under another name.
      const { file, created } = await client.restore({ user: "ann", fileId: "film" });
      expect([created, file.version, file.sha256]).toEqual([true, 4, replaced.file.sha256]);
      const blobId = blobs[0]!.file.blobId;
      const old = await client.restore({ user: "ann", fileId: "film", blobId, as: "old/film" });
      expect([old.created, old.file.version]).toEqual([true, 1]);
      await expectCounted();
      expect(await client.emptyTrash({ user: "ann" })).toEqual({
        blobs: 2,
        bytes: 2 * largeBytes,
        kept: 0,
      });
      expect((await read("ann", "film")).equals(second)).toBe(true);
      expect((await read("ann", "old/film")).equals(first)).toBe(true);
      expect(await client.usage("ann")).toMatchObject({
        liveFiles: 2,
        liveBytes: 2 * largeBytes,
        trashBlobs: 0,
        trashBytes: 0,
      });
      await expectCounted();
    });

    test("restores over a live file only when it is told to, and into a quota", async () => {
      await put("bob", "f", bytesOf(1, 1_000));
      await put("bob", "f", bytesOf(2, 3_000), true);
      const again = { user: "bob", fileId: "f" };
      expect(await codeOf(client.restore(again))).toBe("FILE_EXISTS");
      const { file, created } = await client.restore({ ...again, overwrite: true });
      expect([created, file.version, file.sizeBytes]).toEqual([false, 3, 1_000]);
      await client.setQuota("bob", 3_999);
      const large = (await client.trash({ user: "bob", limit: 10 })).blobs.find(
        ({ file: { sizeBytes } }) => sizeBytes === 3_000,
      );
      const { blobId } = large!.file;
      const beside = client.restore({ user: "bob", fileId: "f", blobId, as: "g" });
      expect(await codeOf(beside)).toBe("QUOTA_EXCEEDED");
      await client.setQuota("bob", 4_000);
      await client.restore({ user: "bob", fileId: "f", blobId, as: "g" });
      expect((await client.usage("bob")).liveBytes).toBe(4_000);
      await expectCounted();
    });

    test("is listed in pages, by prefix, and says what it does not know", async () => {
      for (const name of ["a/1", "a/2", "b/1"]) {
        await put("cid", name, bytesOf(1, 10));
        await client.delete({ user: "cid", fileId: name });
      }
      const names: string[] = [];
      let after: Parameters<DsmClient["trash"]>[0]["after"];
      do {
        const place = after === undefined ? {} : { after };
        const page = await client.trash({ user: "cid", limit: 2, ...place });
        names.push(...page.blobs.map(({ file }) => file.fileId));
        after = page.next;
      } while (after !== undefined);
      expect(names.toSorted()).toEqual(["a/1", "a/2", "b/1"]);
      const prefixed = await client.trash({ user: "cid", limit: 9, prefix: "a/" });
      expect(prefixed.blobs.map(({ file }) => file.fileId).toSorted()).toEqual(["a/1", "a/2"]);
      const codes = [
        await codeOf(client.trash({ user: "nobody", limit: 1 })),
        await codeOf(client.restore({ user: "nobody", fileId: "f" })),
        await codeOf(client.restore({ user: "cid", fileId: "never" })),
        await codeOf(client.emptyTrash({ user: "cid", fileId: "never" })),
      ];
      expect(codes).toEqual([
        "USER_NOT_FOUND",
        "USER_NOT_FOUND",
        "FILE_NOT_FOUND",
        "FILE_NOT_FOUND",
      ]);
      expect(await cluster.catalog.groupOf("nobody")).toBeUndefined();
    });

    test("is emptied of all versions of a file, whatever the order of their ids", async () => {
      // Two storages have leases of their own, so ids are in another order than versions; and there
      // are more than one request may name, so that what one has to keep another one removes.
      const count = limits.emptyBatchMax + 20;
      for (let i = 0; i < count; i++) await put("dee", "busy", bytesOf(i, 50), true);
      await put("dee", "kept", bytesOf(1, 60));
      await client.delete({ user: "dee", fileId: "kept" });
      const seen: number[] = [];
      const onProgress = ({ blobs }: { blobs: number }) => void seen.push(blobs);
      const emptied = await client.emptyTrash({ user: "dee", fileId: "busy", onProgress });
      expect(emptied).toEqual({ blobs: count - 1, bytes: (count - 1) * 50, kept: 0 });
      expect(seen.at(-1)).toBe(count - 1);
      const { blobs } = await client.trash({ user: "dee", limit: 100 });
      expect(blobs.map(({ file }) => file.fileId)).toEqual(["kept"]);
      await expectCounted();
    });

    test("has the same on the gateway, for who holds the write key", async () => {
      await put("eve", "a b/c", bytesOf(7, 100));
      await client.delete({ user: "eve", fileId: "a b/c" });
      const api = (path: string, init: RequestInit = {}, key = "the key") =>
        fetch(`${cluster.http}/api/v1/${path}`, {
          ...init,
          headers: { ...init.headers, Authorization: `Bearer ${key}` },
        });
      const json = { "Content-Type": "application/json" };
      const of = "trash/eve/a%20b/c";
      const refused = [
        await api("trash?user=eve", {}, "another"),
        await api("usage?user=eve", {}, "another"),
        await api(of, { method: "POST", headers: json, body: "{}" }, "another"),
        await api(of, { method: "DELETE" }, "another"),
      ];
      expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
      const page = await jsonOf<TrashPage>(await api("trash?user=eve&limit=5"));
      expect(page).toMatchObject({ blobs: [{ file: { fileId: "a b/c" }, wasDeleted: true }] });
      const wrong = [
        await api("trash"),
        await api("trash?user=eve&after=x"),
        await api("trash?user=eve&page=2"),
        await api("usage?user=eve&user2=x"),
        await api(of, { method: "POST", body: "{}" }),
        await api(of, { method: "POST", headers: json, body: '{"as":"../x"}' }),
        await api(of, { method: "POST", headers: json, body: '{"copy":true}' }),
      ];
      expect(wrong.map(({ status }) => status)).toEqual(wrong.map(() => 400));
      const body = JSON.stringify({ as: "d" });
      const restored = await api(of, { method: "POST", headers: json, body });
      expect([restored.status, (await jsonOf<FileInfo>(restored)).fileId]).toEqual([201, "d"]);
      const again = await api(of, { method: "POST", headers: json, body });
      expect([again.status, (await jsonOf(again)).code]).toEqual([412, "FILE_EXISTS"]);
      const emptied = await api(of, { method: "DELETE" });
      expect(await jsonOf<Emptied>(emptied)).toEqual({ blobs: 1, bytes: 100, kept: 0 });
      expect((await api(of, { method: "DELETE" })).status).toBe(404);
      expect(await jsonOf<UserUsage>(await api("usage?user=eve"))).toMatchObject({
        user: "eve",
        liveFiles: 1,
        liveBytes: 100,
        trashBlobs: 0,
      });
      expect((await api(of, { method: "PUT", body: "x" })).status).toBe(405);
      expect((await api("trash", { method: "DELETE" })).status).toBe(405);
    });
  });
}

test.skipIf(tmpfsMissing !== undefined)("an emptied trash is free space again", async () => {
  await using disk = await mountTmpfs({ sizeBytes: 64 * 2 ** 20 });
  await using cluster = await startCluster({ dataDir: disk.path, reserveBytes: 0 });
  await using client = cluster.client();
  const put = (fileId: string) =>
    client.upload({ user: "ann", fileId, source: bytesSource(bytesOf(1, 4 * 2 ** 20)) });
  for (const fileId of ["a", "b", "c"]) await put(fileId);
  for (const fileId of ["a", "b"]) await client.delete({ user: "ann", fileId });
  await client.restore({ user: "ann", fileId: "a" });
  const fullBytes = await disk.freeBytes();
  const { bytes } = await client.emptyTrash({ user: "ann" });
  expect(bytes).toBe(2 * 4 * 2 ** 20);
  // Of the two one was restored: its bytes are those of the live file, and stay.
  const freedBytes = (await disk.freeBytes()) - fullBytes;
  const catalogMayTakeBytes = 256 * 1024;
  expect(Math.abs(freedBytes - 4 * 2 ** 20)).toBeLessThan(catalogMayTakeBytes);
  expect(await client.groupUsage("g1")).toMatchObject({ liveBytes: 8 * 2 ** 20, trashBytes: 0 });
});

test("a delete that is restored at once is read by who was reading all the time", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({ dataDir: dir.path, delivery: "proxy" });
  await using client = cluster.client();
  const bytes = bytesOf(3, 3_000_000);
  const { file } = await client.upload({ user: "ann", fileId: "f", source: bytesSource(bytes) });
  const { body } = await client.open({ user: "ann", fileId: "f" });
  const reading = body[Symbol.asyncIterator]();
  const first = (await reading.next()).value as Uint8Array;
  await client.delete({ user: "ann", fileId: "f" });
  await client.restore({ user: "ann", fileId: "f" });
  const rest = await collect({ [Symbol.asyncIterator]: () => reading });
  expect(Buffer.concat([first, rest]).equals(bytes)).toBe(true);
  expect(await Bun.file(join(cluster.groupRoot("g1"), blobPath(file.blobId))).exists()).toBe(true);
});

test("of the workers of a storage only the one that beats reaps", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({
    dataDir: dir.path,
    storages: 1,
    trashGraceMs: 0,
    reapIntervalMs: 3_600_000,
  });
  await using client = cluster.client();
  for (const text of ["one", "two"]) {
    const source = bytesSource(Buffer.from(text));
    await client.upload({ user: "ann", fileId: "f", source, overwrite: true });
  }
  const lookEveryMs = 10;
  await using other = await startWorker(cluster, { trackers: [], reapIntervalMs: lookEveryMs });
  // It would have looked a good many times by now.
  await Bun.sleep(50 * lookEveryMs);
  expect((await client.usage("ann")).trashBlobs).toBe(1);
  await other.drain();
  const terms = { trackers: cluster.trackerEndpoints, reapIntervalMs: lookEveryMs };
  await using beating = await startWorker(cluster, terms);
  await until("the trash is empty", async () => (await client.usage("ann")).trashBlobs === 0);
  await beating.drain();
});
