import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import type { FileInfo } from "@dsm/protocol";
import type { Storage } from "@dsm/storage";
import { jsonOf, until } from "@dsm/testkit";
import { Bricks, flip, noise, pieceBytes } from "./bricks.ts";

const sizeBytes = 6 * pieceBytes;
const content = noise(sizeBytes);
const stack = new AsyncDisposableStack();
let bricks: Bricks;
let file: FileInfo;
/** As a gateway and a client know it that located the file before the damage was found. */
let before: FileInfo;
let other: Storage;

/** Piece 3 is bad on all bricks. The gateway goes by what it located, for a minute. */
beforeAll(async () => {
  bricks = stack.use(await Bricks.start({}, { freshnessMs: 60_000 }));
  file = before = await bricks.upload("film.mp4", content);
  await flip(bricks.blobOf(file), 3 * pieceBytes + 9);
  other = await bricks.copy(2);
});
afterAll(() => stack.disposeAsync());

const url = () => `${bricks.cluster.http}/media/ann/film.mp4`;

test("before it is found a whole read gets the flipped byte, and the digest tells", async () => {
  const response = await fetch(url());
  const bytes = await response.bytes();
  const digest = Buffer.from(Bun.SHA256.hash(bytes, "hex"), "hex").toString("base64");
  expect(bytes.length).toBe(sizeBytes);
  expect(response.headers.get("repr-digest")).not.toBe(`sha-256=:${digest}:`);
});

test("a body that comes to a bad piece breaks there, and never looks complete", async () => {
  await bricks.scrub();
  file = { ...before, damage: "3" };
  expect(await bricks.damageOf(before)).toBe("3");
  // The other member hears of it from the catalog.
  await until("it does", async () => (await bricks.statusOf(other, before)) === 500);
  // By the SDK, which asks one storage after the other before it gives up.
  const { body } = await bricks.client.open({ user: "ann", fileId: "film.mp4", file: before });
  const got = await collectUntilError(body);
  expect(got.error).toMatchObject({ code: "DATA_CORRUPT" });
  expect(got.bytes.length).toBeLessThanOrEqual(3 * pieceBytes);
  expect(got.bytes.length).toBeGreaterThan(2 * pieceBytes);
  expect(Buffer.compare(got.bytes, content.subarray(0, got.bytes.length))).toBe(0);
  // Through the gateway, which has sent the head of a 200 by then.
  const raw = await rawGet(bricks.cluster.gateway.running.port, "/media/ann/film.mp4");
  expect(raw.head).toStartWith("HTTP/1.1 200");
  expect(raw.head).toContain(`content-length: ${sizeBytes}`);
  expect(raw.body.length).toBeLessThanOrEqual(3 * pieceBytes);
  expect(Buffer.compare(raw.body, content.subarray(0, raw.body.length))).toBe(0);
  await expect(fetch(url()).then((response) => response.bytes())).rejects.toThrow();
});

test("a range is served up to the bad piece and from behind it", async () => {
  const [from, to] = [3 * pieceBytes, 4 * pieceBytes];
  for (const [start, end] of [
    [0, from],
    [to, sizeBytes],
  ] as const) {
    const response = await fetch(url(), { headers: { Range: `bytes=${start}-${end - 1}` } });
    expect(response.status).toBe(206);
    expect(Buffer.compare(await response.bytes(), content.subarray(start, end))).toBe(0);
  }
  const headers = { Range: `bytes=${to - 10}-${to + 10}` };
  const refused = await fetch(url(), { headers });
  const { code, detail } = await jsonOf(refused);
  expect([refused.status, code]).toEqual([500, "DATA_CORRUPT"]);
  // The storage tells of its own window, which ends where the range does.
  expect(detail).toContain(`bytes ${to - 10}-${to - 1} of ann/film.mp4 are damaged`);
});

test("a gateway that knows of the damage refuses the whole before a byte is sent", async () => {
  bricks.cluster.gateway.running.forget("ann", "film.mp4");
  const response = await fetch(url());
  expect([response.status, (await jsonOf(response)).code]).toEqual([500, "DATA_CORRUPT"]);
  expect((await fetch(url(), { method: "HEAD" })).status).toBe(500);
  const etag = { "If-None-Match": `"${file.sha256}"` };
  expect((await fetch(url(), { headers: etag })).status).toBe(304);
});

async function collectUntilError(body: AsyncIterable<Uint8Array>) {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}

/** What really comes over the wire, until the server closes. */
async function rawGet(port: number, path: string): Promise<{ head: string; body: Buffer }> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  await closed;
  const all = Buffer.concat(chunks);
  const end = all.indexOf("\r\n\r\n");
  const head = all.subarray(0, end).toString().toLowerCase().replace("http/1.1", "HTTP/1.1");
  return { head, body: all.subarray(end + 4) };
}
