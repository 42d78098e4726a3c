import { describe, expect, test } from "bun:test";
import { open, truncate } from "node:fs/promises";
import { DsmError, type FileInfo } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { serveHttp } from "./http-server.ts";
import { localSource } from "./local-source.ts";
import { planResponse } from "./plan.ts";
import { respond } from "./respond.ts";
import { curl } from "./testing/curl.ts";
import { engines } from "./testing/engines.ts";
import { RawClient, settled } from "./testing/raw-client.ts";
import { blobFile, sampleFile, storeSample } from "./testing/sample-file.ts";

const mebi = 1024 * 1024;
const gibi = 1024 * mebi;

function serveFile(engine: (typeof engines)[number][1], root: string, file: FileInfo) {
  return serveHttp({
    ...engine,
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ method, headers }) =>
      respond(
        planResponse({ method, headers, download: false, keepsLength: false }, file),
        localSource(root, file),
      ),
  });
}

/** A file of holes, with eight bytes of its own at each of the places that are given. */
async function sparseFile(root: string, sizeBytes: number, marks: number[]): Promise<FileInfo> {
  const handle = await open(await blobFile(root), "w");
  await handle.truncate(sizeBytes);
  for (const at of marks) await handle.write(`${at}`.padStart(10).slice(-8), at);
  await handle.close();
  return { ...sampleFile, sizeBytes };
}

describe.each(engines)("a blob through %s", (_name, engine) => {
  test("is sent whole, byte for byte, with exact headers", async () => {
    await using dir = await tempDir();
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const file = await storeSample(dir.path, Buffer.concat(Array(40).fill(bytes)));
    await using server = await serveFile(engine, dir.path, file);
    const get = await curl(server.url);
    const sha256 = new Bun.CryptoHasher("sha256").update(get.body).digest("hex");
    expect([get.exitCode, get.status, sha256]).toEqual([0, 200, file.sha256]);
    expect(get.headers).toMatchObject({
      "accept-ranges": ["bytes"],
      "content-disposition": [expect.stringContaining("caf")],
      "content-length": [`${file.sizeBytes}`],
      "content-type": ["video/mp4"],
      etag: [`"${file.sha256}"`],
      "last-modified": ["Sun, 06 Nov 1994 08:49:37 GMT"],
    });
    expect(get.headers["transfer-encoding"]).toBeUndefined();
    const head = await curl("-I", server.url);
    expect({ ...head.headers, date: [] }).toEqual({ ...get.headers, date: [] });
  });

  test.each([1, 1000, mebi - 1, mebi, mebi + 1])("of %d bytes is whole or in parts", async (n) => {
    await using dir = await tempDir();
    const bytes = Buffer.alloc(n, "0123456789");
    await using server = await serveFile(engine, dir.path, await storeSample(dir.path, bytes));
    expect((await curl(server.url)).body.equals(bytes)).toBe(true);
    for (const [range, start, end] of [
      ["0-", 0, n],
      ["0-0", 0, 1],
      ["-1", n - 1, n],
      [`${n >> 1}-`, n >> 1, n],
      [`${n > 1 ? 1 : 0}-`, n > 1 ? 1 : 0, n],
    ] as const) {
      const answer = await curl("-r", range, server.url);
      expect(answer.headers).toMatchObject({
        "accept-ranges": ["bytes"],
        "content-length": [`${end - start}`],
        "content-range": [`bytes ${start}-${end - 1}/${n}`],
      });
      expect([answer.status, answer.body.equals(bytes.subarray(start, end))]).toEqual([206, true]);
    }
  });

  test("an empty file is an empty 200", async () => {
    await using dir = await tempDir();
    const file = await storeSample(dir.path, new Uint8Array());
    await using server = await serveFile(engine, dir.path, file);
    const answer = await curl(server.url);
    expect([answer.exitCode, answer.status, answer.body.length]).toEqual([0, 200, 0]);
    expect(answer.headers["content-length"]).toEqual(["0"]);
  });

  test.each<string[]>([
    ["Range: bytes=1-2", 'If-Range: "old"'],
    ["Range: bytes=1-2", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT"],
    ["Range: bytes= 1-2"],
    ["Range: bytes=0-0,x"],
  ])("a Range that the plan ignores is ignored by the server too (%s, %s)", async (...headers) => {
    await using dir = await tempDir();
    const first = await storeSample(dir.path, Buffer.alloc(5000, "a"));
    await using server = await serveFile(engine, dir.path, { ...first, version: 2 });
    const answer = await curl(...headers.flatMap((header) => ["-H", header]), server.url);
    expect([answer.status, answer.body.length]).toEqual([200, 5000]);
    expect(answer.headers["content-range"]).toBeUndefined();
  });

  test("416, 412 and 304 are said in full", async () => {
    await using dir = await tempDir();
    const file = await storeSample(dir.path, Buffer.alloc(5000, "a"));
    await using server = await serveFile(engine, dir.path, file);
    const outside = await curl("-r", "5000-", server.url);
    expect([outside.status, outside.headers["content-range"]]).toEqual([416, ["bytes */5000"]]);
    expect(outside.body.toString()).toContain("RANGE_NOT_SATISFIABLE");
    const failed = await curl("-H", 'If-Match: "old"', server.url);
    expect([failed.status, failed.body.toString().includes("PRECONDITION_FAILED")]).toEqual([
      412,
      true,
    ]);
    const unchanged = await curl("-H", `If-None-Match: "${file.sha256}"`, server.url);
    expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
    expect(unchanged.headers["etag"]).toEqual([`"${file.sha256}"`]);
  });

  test("parts at both sides of 2^31 and 2^32 of 5 GiB are right", async () => {
    await using dir = await tempDir();
    const marks = [0, 2 * gibi - 4, 4 * gibi - 4, 5 * gibi - 8];
    const file = await sparseFile(dir.path, 5 * gibi, marks);
    await using server = await serveFile(engine, dir.path, file);
    for (const at of marks) {
      const answer = await curl("-r", `${at}-${at + 7}`, server.url);
      expect([answer.status, answer.body.toString()]).toEqual([
        206,
        `${at}`.padStart(10).slice(-8),
      ]);
    }
    await using client = await RawClient.connect(server);
    client.request("GET / HTTP/1.1");
    await until("the headers are there", () => client.head.includes("\r\n\r\n"));
    expect(client.head.toLowerCase()).toContain(`content-length: ${5 * gibi}\r\n`);
  });

  test("a stalled reader keeps little in memory", async () => {
    await using dir = await tempDir();
    const file = await sparseFile(dir.path, gibi, []);
    await using server = await serveFile(engine, dir.path, file);
    const beforeBytes = process.memoryUsage().rss;
    await using client = await RawClient.connect(server);
    client.socket.pause();
    client.request("GET / HTTP/1.1");
    await until("it is active", () => server.activeRequests === 1);
    const grownBytes = await settled(() => process.memoryUsage().rss, mebi);
    expect(grownBytes - beforeBytes).toBeLessThan(64 * mebi);
    client.socket.resume();
    await client[Symbol.asyncDispose]();
    await until("none is active", () => server.activeRequests === 0);
  });

  test.each([4999, 5001])("a blob of %d instead of 5000 bytes is an error", async (sizeBytes) => {
    await using dir = await tempDir();
    const file = await storeSample(dir.path, Buffer.alloc(5000));
    await truncate(await blobFile(dir.path), sizeBytes);
    await using server = await serveFile(engine, dir.path, file);
    const answer = await curl(server.url);
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([500, "DATA_CORRUPT"]);
  });
});

const failure = async (root: string) => {
  try {
    await localSource(root, sampleFile).open(0, 1);
    return "opened";
  } catch (error) {
    return error instanceof DsmError ? [error.code, error.message] : error;
  }
};

describe("localSource", () => {
  test("says what is wrong with a blob, without a path of this machine", async () => {
    await using dir = await tempDir();
    const blob = "blob 0000000000001267 of ada/clips/café.mp4";
    expect(await failure(dir.path)).toEqual(["DATA_CORRUPT", `${blob} is damaged: it is missing`]);
    await storeSample(dir.path, Buffer.alloc(3));
    expect(await failure(dir.path)).toEqual([
      "DATA_CORRUPT",
      `${blob} is damaged: it has 3 bytes instead of 1000`,
    ]);
    expect(await failure(`${dir.path}/${"x".repeat(300)}`)).toEqual([
      "STORAGE_FAILED",
      `${blob} cannot be read: ENAMETOOLONG`,
    ]);
  });
});
