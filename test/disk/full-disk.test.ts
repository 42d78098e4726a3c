import { describe, expect, test } from "bun:test";
import { mkdir, readdir, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient, streamSource } from "@dsm/client";
import { type Cluster, type ClusterOptions, startCluster } from "@dsm/cluster";
import { clusterSecret, DsmError, mediaPath, signCapability } from "@dsm/protocol";
import { jsonOf, mountTmpfs, tempDir, type Tmpfs, tmpfsMissing, until } from "@dsm/testkit";

const why = tmpfsMissing === undefined ? "" : ` (skipped: ${tmpfsMissing})`;
const kib = 1024;
const user = "ann";

interface Scene extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly disk: Tmpfs;
  put(fileId: string, sizeBytes: number): Promise<string>;
  /** A file of the test takes all room but so much. */
  fill(leftBytes: number): Promise<void>;
  empty(): Promise<void>;
  isFull(): Promise<boolean>;
  /** Paths of everything that is no folder. */
  files(folder: string): Promise<string[]>;
}

/** A group whose file system is small; the catalog lies elsewhere unless it is said. */
async function scene(
  options: Partial<ClusterOptions> & { sizeBytes?: number; inodes?: number } = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const { sizeBytes = 8 * kib * kib, inodes, ...rest } = options;
  const disk = stack.use(
    await mountTmpfs({ sizeBytes, ...(inodes === undefined ? {} : { inodes }) }),
  );
  await mkdir(join(dir.path, "groups"));
  await symlink(disk.path, join(dir.path, "groups", "g1"));
  const cluster = stack.use(
    await startCluster({ dataDir: dir.path, storages: 1, reserveBytes: 0, ...rest }),
  );
  const client = stack.use(cluster.client());
  const filler = join(disk.path, "filler");
  const parts = stack.move();
  return {
    cluster,
    client,
    disk,
    put: (fileId, size) =>
      outcome(client.upload({ user, fileId, source: bytesSource(new Uint8Array(size).fill(7)) })),
    async fill(leftBytes) {
      const grow = Buffer.alloc(4 * kib, 1);
      while ((await disk.freeBytes()) > leftBytes) {
        await writeFile(filler, grow, { flag: "a" });
      }
    },
    empty: () => rm(filler),
    async isFull() {
      const { groups } = await client.status();
      return groups[0]?.members[0]?.full === true;
    },
    async files(folder) {
      const entries = await readdir(join(disk.path, folder), {
        recursive: true,
        withFileTypes: true,
      });
      return entries.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

async function outcome(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
}

async function bytesIn(paths: readonly string[]): Promise<number> {
  const stats = await Promise.all(paths.map((path) => stat(path)));
  return stats.reduce((sum, { size }) => sum + size, 0);
}

describe.skipIf(tmpfsMissing !== undefined)(`a disk that is full${why}`, () => {
  test("takes what fits, refuses the rest with a reason, and comes back by itself", async () => {
    await using s = await scene();
    const kept: string[] = [];
    let refusal = "";
    for (let n = 0; refusal === "" && n < 100; n++) {
      const said = await s.put(`f${n}`, 300 * kib);
      if (said === "done") kept.push(`f${n}`);
      else refusal = said;
    }
    expect([refusal, kept.length > 15]).toEqual(["STORAGE_FULL", true]);
    expect(await bytesIn(await s.files("blobs"))).toBe(kept.length * 300 * kib);
    // There is room for smaller ones, until there is none.
    await s.fill(0);
    expect(await s.put("small", 5 * kib)).toBe("STORAGE_FULL");
    await until("the trackers know", () => s.isFull());
    const over = await fetch(`${s.cluster.http}/media/${user}/more`, { method: "PUT", body: "x" });
    expect(over.status).toBe(507);
    expect(await over.json()).toMatchObject({ code: "STORAGE_FULL", detail: expect.any(String) });
    for (const fileId of kept) {
      const read = await fetch(`${s.cluster.http}/media/${user}/${fileId}`);
      expect([read.status, (await read.bytes()).length]).toEqual([200, 300 * kib]);
    }
    // An operator makes room in another way than dsm.
    await truncate((await s.files("blobs"))[0] ?? "", 0);
    await until("it takes files again", async () => (await s.put("again", 10 * kib)) === "done");
    expect(await s.isFull()).toBe(false);
  });

  test("in the middle of a body leaves nothing of it", async () => {
    await using s = await scene();
    expect(await s.put("small", 10)).toBe("done");
    await s.fill(600 * kib);
    const freeBytes = await s.disk.freeBytes();
    async function* body() {
      for (let n = 0; n < 40; n++) {
        yield new Uint8Array(64 * kib).fill(n);
        await Bun.sleep(1);
      }
    }
    // Its length is not known beforehand, so nobody can refuse it at once.
    const source = streamSource(streamOf(body()), undefined);
    const said = await outcome(s.client.upload({ user, fileId: "large", source }));
    expect(["STORAGE_FULL", "UPLOAD_INCOMPLETE", "UNREACHABLE"]).toContain(said);
    expect(await outcome(s.client.stat(user, "large"))).toBe("FILE_NOT_FOUND");
    await until("its space is back", async () => (await s.disk.freeBytes()) >= freeBytes - 8 * kib);
    expect(await s.files("blobs")).toHaveLength(1);
    await s.empty();
    await until("it takes files again", async () => (await s.put("again", 2_000 * kib)) === "done");
  });

  test("where only the record of the journal does not fit, nothing is acknowledged", async () => {
    await using s = await scene();
    expect(await s.put("first", 10)).toBe("done");
    await s.fill(0);
    // Blobs without bytes need no room, and the last page of the journal has some left.
    const said: string[] = [];
    for (let n = 0; n < 60 && said.at(-1) !== "STORAGE_FULL"; n++)
      said.push(await s.put(`f${n}`, 0));
    expect(said.at(-1)).toBe("STORAGE_FULL");
    const kept = said.filter((each) => each === "done").length;
    const { files } = await s.client.list({ user, limit: 100 });
    expect(files).toHaveLength(kept + 1);
    expect(await s.files("blobs")).toHaveLength(kept + 1);
    await s.empty();
    await until("it takes files again", async () => (await s.put("again", kib)) === "done");
  });

  test("without an inode left it is full too", async () => {
    await using s = await scene({ inodes: 60 });
    let last = "";
    for (let n = 0; n < 80 && last !== "STORAGE_FULL"; n++) last = await s.put(`f${n}`, 10);
    expect(last).toBe("STORAGE_FULL");
    const { files } = await s.client.list({ user, limit: 100 });
    expect(await s.files("blobs")).toHaveLength(files.length);
    await s.client.delete({ user, fileId: "f0" });
    expect(await outcome(s.client.stat(user, "f0"))).toBe("FILE_NOT_FOUND");
  });

  test("keeps a reserve in which deletes go on", async () => {
    await using s = await scene({ reserveBytes: kib * kib });
    let last = "";
    for (let n = 0; n < 100 && last !== "STORAGE_FULL"; n++) last = await s.put(`f${n}`, 500 * kib);
    expect(last).toBe("STORAGE_FULL");
    const { files } = await s.client.list({ user, limit: 100 });
    for (const { fileId } of files) await s.client.delete({ user, fileId });
    expect((await s.client.list({ user, limit: 100 })).files).toEqual([]);
  });

  test("under the catalog of SQLite uploads fail cleanly until there is room", async () => {
    await using disk = await mountTmpfs({ sizeBytes: 2 * kib * kib });
    await using dir = await tempDir();
    const catalogUrl = `sqlite:${join(disk.path, "catalog.db")}`;
    await using cluster = await startCluster({ dataDir: dir.path, storages: 1, catalogUrl });
    const put = async (fileId: string) => {
      const claims = {
        intent: "write",
        user,
        group: "g1",
        expiresAtMs: Date.now() + 60_000,
      } as const;
      const right = signCapability(clusterSecret(cluster.secret), claims);
      // Straight to the storage, which waits for the catalog once; a client would ask it again.
      const [storage] = cluster.storages;
      const response = await fetch(new URL(mediaPath(user, fileId), storage?.running.dataUrl), {
        method: "PUT",
        body: "some text",
        headers: { Authorization: `Bearer ${right}` },
      });
      return response.ok ? "done" : (await jsonOf(response)).code;
    };
    await cluster.catalog.assignGroup(user, "g1", 1);
    expect(await put("first")).toBe("done");
    const filler = join(disk.path, "filler");
    while ((await disk.freeBytes()) > 0)
      await writeFile(filler, Buffer.alloc(4 * kib), { flag: "a" });
    const said: string[] = [];
    for (let n = 0; n < 200 && said.at(-1) !== "CATALOG_UNAVAILABLE"; n++)
      said.push(await put(`f${n}`));
    expect(said.at(-1)).toBe("CATALOG_UNAVAILABLE");
    const read = await fetch(`${cluster.http}/media/${user}/first`);
    expect(read.status).toBe(200);
    await rm(filler);
    await until("it takes files again", async () => (await put("again")) === "done");
    expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
  }, 60_000);
});
