import { expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { digestAtEnd, DsmError, limits, reprDigestOf } from "@dsm/protocol";
import { StorageRests } from "./storage-rests.ts";
import { realSurroundings } from "./surroundings.ts";
import { upload, type UploadPorts } from "./upload.ts";
import { bytesSource, streamSource } from "./upload-source.ts";

const problem = '{"code":"PRECONDITION_FAILED","detail":"it is another version"}';
const refusal =
  "HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/problem+json\r\n" +
  `Content-Length: ${problem.length}\r\n\r\n${problem}`;

/** As if trackers named a storage at that URL, and no other. */
function portsTo(url: string): UploadPorts {
  const storage = { storageId: "s1", dataUrl: url, publicUrl: url };
  return {
    rests: new StorageRests(() => performance.now()),
    surroundings: realSurroundings,
    locateForWrite: async () => ({
      group: "g1",
      storages: [storage],
      capability: "c",
      expiresAtMs: Date.now() + 60_000,
    }),
    stat: () => Promise.reject(new DsmError("FILE_NOT_FOUND", "it was deleted")),
  };
}

test("a refusal after a lost answer stays one when the file is gone meanwhile", async () => {
  let tries = 0;
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    let request = "";
    socket.on("data", (data) => {
      request += data.toString("latin1");
      if (!request.includes("content")) return;
      // The first try is taken in whole, and its answer is lost.
      if (++tries === 1) socket.destroy();
      else socket.end(refusal);
    });
  });
  const { promise: listens, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await listens;
  const ports = portsTo(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  const source = bytesSource(new TextEncoder().encode("content"));
  const request = { user: "ann", fileId: "f", source, ifMatch: '"x"' };
  const failure = await upload(ports, request).catch((error: unknown) => error);
  server.close();
  expect([(failure as DsmError).code, tries]).toEqual(["PRECONDITION_FAILED", 2]);
});

test("a second try sends all that the first would have, though that one reads on", async () => {
  const chunk = new Uint8Array(200_000).fill(7);
  const chunks = 15;
  const sent: number[] = [];
  let late: Promise<unknown> | undefined;
  // As Bun's fetch over a connection that is reset: it fails, and then asks for one chunk more.
  const fetch = async (_url: URL, { body }: RequestInit): Promise<Response> => {
    const bytes = (body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const n = sent.push(0) - 1;
    for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) {
      sent[n]! += next.value.length;
      if (n > 0 || sent[n]! < limits.uploadReplayMaxBytes - chunk.length) continue;
      setTimeout(() => {
        late = bytes.next().catch(String);
      });
      throw Object.assign(new Error("it was reset"), { code: "ECONNRESET" });
    }
    return new Response(problem, { status: 412 });
  };
  const stream = (async function* () {
    for (let i = 0; i < chunks; i++) yield chunk;
  })();
  const request = { user: "ann", fileId: "f", source: streamSource(stream), ifMatch: '"x"' };
  const surroundings = { ...realSurroundings, fetch };
  const failure = await upload({ ...portsTo("http://127.0.0.1:1"), surroundings }, request).catch(
    String,
  );
  expect(failure).toContain("it is another version");
  expect(await late).toContain("given up");
  expect(sent).toEqual([1_000_000, chunks * chunk.length]);
});

/** What each try sent to which storage, and an answer as the storages of those versions give it. */
function recordingFetch(failFirst: boolean) {
  const tries: Array<{ host: string; digest: string | null; sent: Buffer }> = [];
  const fetch = async (url: URL, { body, headers }: RequestInit): Promise<Response> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    tries.push({ host: url.host, digest: new Headers(headers).get("Repr-Digest"), sent });
    if (failFirst && tries.length === 1) throw new Error("it was reset");
    return new Response(problem, { status: 412 });
  };
  return { tries, fetch };
}

const content = Buffer.from("known at the end alone");
const contentSha256 = Bun.SHA256.hash(content, "hex");
const streamed = () =>
  streamSource(
    (async function* () {
      yield content.subarray(0, 5);
      yield content.subarray(5);
    })(),
  );

test("a digest that is known at the end follows the bytes where a storage takes it", async () => {
  const storage = { storageId: "new", dataUrl: "http://new", publicUrl: "http://new" };
  const older = { storageId: "old", dataUrl: "http://old", publicUrl: "http://old" };
  const { tries, fetch } = recordingFetch(true);
  const progress: number[] = [];
  const ports: UploadPorts = {
    ...portsTo(""),
    surroundings: { ...realSurroundings, fetch },
    locateForWrite: async () => ({
      group: "g1",
      storages: [{ ...storage, digestAtEnd: true }, older],
      capability: "c",
      expiresAtMs: Date.now() + 60_000,
    }),
  };
  const onProgress = (sentBytes: number) => progress.push(sentBytes);
  const request = { user: "ann", fileId: "f", source: streamed(), ifMatch: '"x"', onProgress };
  await upload(ports, request).catch(String);
  const digest = Buffer.from(contentSha256, "hex");
  expect(tries).toEqual([
    { host: "new", digest: digestAtEnd, sent: Buffer.concat([content, digest]) },
    { host: "old", digest: null, sent: content },
  ]);
  expect(progress).toEqual([5, content.length, 5, content.length]);
});

test("a digest that is known before is sent before, and a length stays a length", async () => {
  const { tries, fetch } = recordingFetch(false);
  const ports = portsTo("http://new");
  const newer: UploadPorts = {
    ...ports,
    surroundings: { ...realSurroundings, fetch },
    locateForWrite: async () => {
      const located = await ports.locateForWrite("ann", "f");
      const storages = located.storages.map((it) => ({ ...it, digestAtEnd: true }));
      return { ...located, storages };
    },
  };
  const request = { user: "ann", fileId: "f", ifMatch: '"x"' };
  const sized = { ...streamed(), replayable: false, sizeBytes: content.length };
  await upload(newer, { ...request, source: streamed(), sha256: contentSha256 }).catch(String);
  await upload(newer, { ...request, source: sized }).catch(String);
  await upload(newer, { ...request, source: bytesSource(content) }).catch(String);
  const known = reprDigestOf(contentSha256);
  expect(tries.map(({ digest }) => digest)).toEqual([known, null, known]);
  expect(tries.every(({ sent }) => sent.equals(content))).toBe(true);
});

test("bytes that differ from the digest at their end are never sent whole", async () => {
  for (const sizeBytes of [undefined, content.length]) {
    const ends: string[] = [];
    const fetch = async (_url: URL, { body }: RequestInit): Promise<Response> => {
      const chunks = body as unknown as AsyncIterable<Uint8Array>;
      for await (const chunk of chunks) ends.push(String(chunk.length));
      ends.push("whole");
      return new Response(problem, { status: 412 });
    };
    const ports = { ...portsTo("http://s1"), surroundings: { ...realSurroundings, fetch } };
    const source = sizeBytes === undefined ? streamed() : { ...streamed(), sizeBytes };
    const sha256AtEnd = () => "0".repeat(64);
    const failure = await upload(ports, { user: "ann", fileId: "f", source, sha256AtEnd }).catch(
      (error: unknown) => error,
    );
    expect((failure as DsmError).code).toBe("DIGEST_MISMATCH");
    expect(ends).toEqual(sizeBytes === undefined ? ["5", "17"] : ["5"]);
  }
});
