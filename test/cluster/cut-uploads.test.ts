import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";
import fc from "fast-check";

const heads = {
  length: "Content-Length: 3000000\r\n\r\n",
  chunked: "Transfer-Encoding: chunked\r\n\r\n",
} as const;

/** Sends the head of a PUT and a part of its body, and vanishes once `arrived` resolves. */
async function cutUpload(
  url: URL,
  kind: keyof typeof heads,
  sentBytes: number,
  arrived: () => Promise<unknown>,
): Promise<void> {
  const sent = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const part = Buffer.alloc(sentBytes, 1);
  const body =
    kind === "length" || sentBytes === 0
      ? part
      : Buffer.concat([Buffer.from(`${sentBytes.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  const head = `PUT ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n${heads[kind]}`;
  let rest = Buffer.concat([Buffer.from(head), body]);
  const send = (socket: Bun.Socket) => {
    rest = rest.subarray(Math.max(0, socket.write(rest)));
    if (rest.length === 0) sent.resolve();
  };
  const socket = await Bun.connect({
    hostname: url.hostname,
    port: Number(url.port),
    socket: {
      open: send,
      drain: send,
      data() {},
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  await sent.promise;
  await arrived();
  socket.terminate();
  await closed.promise;
}

async function blobsOf(cluster: Cluster): Promise<string[]> {
  const blobs = join(cluster.groupRoot("g1"), "blobs");
  const entries = await readdir(blobs, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("a client that vanishes in mid-upload leaves nothing", () => {
  for (const delivery of ["local", "proxy"] as const) {
    test(`through a gateway with delivery ${delivery}`, async () => {
      await using dir = await tempDir();
      await using cluster = await startCluster({ dataDir: dir.path, delivery });
      await fetch(`${cluster.http}/media/ann/kept`, { method: "PUT", body: "kept" });
      const url = new URL(`${cluster.http}/media/ann/cut`);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom("length" as const, "chunked" as const),
          fc.oneof(fc.integer({ min: 1, max: 2_999_999 }), fc.integer({ min: 1, max: 2000 })),
          async (kind, sentBytes) => {
            const count = async () => (await blobsOf(cluster)).length;
            const arrived = () => until("a storage writes", async () => (await count()) === 2);
            await cutUpload(url, kind, sentBytes, arrived);
            await until("only the kept blob is left", async () => (await count()) === 1);
          },
        ),
        { numRuns: 25 },
      );
      expect((await fetch(url)).status).toBe(404);
      expect(await (await fetch(`${cluster.http}/media/ann/kept`)).text()).toBe("kept");
    });
  }
});
