import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient, streamSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { clusterSecret, DsmError, limits, mediaPath, signCapability } from "@dsm/protocol";
import { jsonOf, mariaDbMissing, startMariaDb, tempDir } from "@dsm/testkit";

setDefaultTimeout(60_000);

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? `${error.code} ${error.message}` : "other"),
  );
}

/** What a storage answers to an upload of which it gets the head alone. */
async function answerToHead(cluster: Cluster, user: string, sizeBytes: number): Promise<string> {
  const { port } = cluster.storages[0]!.running;
  const answer = Promise.withResolvers<string>();
  const secret = clusterSecret(cluster.secret);
  const claims = { intent: "write", user, group: "g1", expiresAtMs: Date.now() + 60_000 } as const;
  const head = [
    `PUT ${mediaPath(user, "head-alone")} HTTP/1.1`,
    "Host: storage",
    `Authorization: Bearer ${signCapability(secret, claims)}`,
    `Content-Length: ${sizeBytes}`,
  ];
  let text = "";
  using socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_socket, bytes) => {
        text += bytes.toString();
        if (text.includes("}")) answer.resolve(text);
      },
      close: () => answer.resolve(text),
    },
  });
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return await answer.promise;
}

const missing = mariaDbMissing();

for (const kind of ["sqlite", "mariadb"] as const) {
  const why = kind === "mariadb" ? missing : undefined;
  const title = why === undefined ? kind : `${kind} (${why})`;

  describe.skipIf(why !== undefined)(`a quota, ${title}`, () => {
    const stack = new AsyncDisposableStack();
    let cluster: Cluster;
    let client: DsmClient;

    beforeAll(async () => {
      const dir = stack.use(await tempDir());
      const server = kind === "mariadb" ? stack.use(await startMariaDb()) : undefined;
      const catalogUrl = await server?.createDatabase();
      const catalog = catalogUrl === undefined ? {} : { catalogUrl };
      cluster = stack.use(await startCluster({ dataDir: dir.path, ...catalog }));
      client = stack.use(cluster.client());
    });
    afterAll(() => stack.disposeAsync());

    const blobCount = async () => {
      const folder = join(cluster.groupRoot("g1"), "blobs");
      const all = await readdir(folder, { recursive: true, withFileTypes: true });
      return all.filter((entry) => entry.isFile()).length;
    };

    /** One upload to one storage itself. @returns the status of the answer */
    async function putTo(storage: number, user: string, fileId: string, body: Buffer) {
      const { dataUrl } = cluster.storages[storage]!.running;
      const capability = signCapability(clusterSecret(cluster.secret), {
        intent: "write",
        user,
        group: "g1",
        expiresAtMs: Date.now() + 60_000,
      });
      const headers = { Authorization: `Bearer ${capability}` };
      const url = `${dataUrl}${mediaPath(user, fileId)}`;
      const answer = await fetch(url, { method: "PUT", body: new Uint8Array(body), headers });
      await answer.bytes();
      return answer.status;
    }

    for (const sizeBytes of [1_000, limits.uploadAtOnceMaxBytes + 1]) {
      test(`is never passed by 32 uploads of ${sizeBytes} bytes at once through two storages`, async () => {
        const user = `racer${sizeBytes}`;
        await client.assign(user, "g1");
        await client.setQuota(user, 11 * sizeBytes - 1);
        const before = await blobCount();
        const body = Buffer.alloc(sizeBytes, 7);
        const statuses = await Promise.all(
          Array.from({ length: 32 }, (_, i) => putTo(i % 2, user, `f${i}`, body)),
        );
        const count = (status: number) => statuses.filter((it) => it === status).length;
        expect([count(201), count(507)]).toEqual([10, 22]);
        const { liveFiles, liveBytes } = await client.usage(user);
        expect([liveFiles, liveBytes]).toEqual([10, 10 * sizeBytes]);
        expect((await client.list({ user, limit: 100 })).files.length).toBe(10);
        expect((await blobCount()) - before).toBe(10);
        expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
      });
    }

    test("is refused with the numbers: before the bytes where their length is known, else behind them", async () => {
      const user = "ann";
      const put = (fileId: string, sizeBytes: number, overwrite = false) =>
        client.upload({ user, fileId, source: bytesSource(Buffer.alloc(sizeBytes)), overwrite });
      await client.assign(user, "g1");
      await client.setQuota(user, 400_000);
      await put("first", 300_000);
      const numbers = "user ann has 300000 bytes of 400000 allowed, and the file has 100001";
      expect(await messageOf(put("second", 100_001))).toBe(`QUOTA_EXCEEDED ${numbers}`);
      expect(await answerToHead(cluster, user, 100_001)).toContain(numbers);
      let sentBytes = 0;
      async function* chunks() {
        for (let i = 0; i < 100_001; i += 20_000) {
          const chunk = new Uint8Array(Math.min(20_000, 100_001 - i));
          sentBytes += chunk.length;
          yield chunk;
        }
      }
      const streamed = { user, fileId: "third", source: streamSource(chunks()) };
      expect(await messageOf(client.upload(streamed))).toBe(`QUOTA_EXCEEDED ${numbers}`);
      expect(sentBytes).toBe(100_001);
      const over = await fetch(`${cluster.http}/media/ann/second`, {
        method: "PUT",
        body: new Uint8Array(100_001),
      });
      expect([over.status, await jsonOf(over)]).toEqual([
        507,
        expect.objectContaining({ code: "QUOTA_EXCEEDED", detail: numbers }),
      ]);
      // What it takes the place of makes room, and what is deleted does at once.
      await put("first", 400_000, true);
      expect(await messageOf(put("small", 1))).toContain("has 400000 bytes of 400000 allowed");
      await put("first", 350_000, true);
      await put("fits", 50_000);
      await client.delete({ user, fileId: "first" });
      await put("again", 350_000);
      expect(await client.usage(user)).toMatchObject({
        liveFiles: 2,
        liveBytes: 400_000,
        quotaBytes: 400_000,
      });
    });

    test("may be set below what there is, be taken away, and needs a user", async () => {
      const user = "bob";
      const source = bytesSource(Buffer.alloc(1_000));
      await client.upload({ user, fileId: "a", source });
      expect(await client.setQuota(user, 10)).toMatchObject({ liveBytes: 1_000, quotaBytes: 10 });
      const more = { user, fileId: "b", source: bytesSource(Buffer.alloc(1)) };
      expect(await messageOf(client.upload(more))).toContain("QUOTA_EXCEEDED");
      // A file that becomes smaller is welcome, and so is a delete.
      const smaller = { user, fileId: "a", source: bytesSource(Buffer.alloc(900)) };
      await client.upload({ ...smaller, overwrite: true });
      const { quotaBytes, liveBytes } = await client.setQuota(user, undefined);
      expect([quotaBytes, liveBytes]).toEqual([undefined, 900]);
      await client.upload(more);
      expect(await messageOf(client.setQuota("nobody", 5))).toContain("USER_NOT_FOUND");
      expect(await messageOf(client.usage("nobody"))).toContain("USER_NOT_FOUND");
    });
  });
}
