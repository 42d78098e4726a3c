import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { encodeFrame, type Frame, frameHeaderBytes, limits } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import fc from "fast-check";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";
import { clientOf, idServer, type WatchedServer } from "./testing/servers.ts";

/** Shared, so that every test shows too that the server outlived the ones before. */
let server: WatchedServer;
beforeAll(() => {
  server = idServer();
});
afterAll(() => server.drain());

async function serverStillAnswers(): Promise<void> {
  using client = clientOf(server.endpoint);
  expect(await client.call("ping", {})).toEqual({ role: "id", nowMs: 1 });
}

/** A ping request whose bytes were changed. */
function spoiled(change: (bytes: Buffer) => void): Buffer {
  const bytes = requestBytes("ping", 3, {});
  change(bytes);
  return bytes;
}

const withBody = (body: Buffer): Buffer => {
  const header = requestBytes("ping", 3, {}).subarray(0, frameHeaderBytes);
  header.writeUInt32BE(body.length, 12);
  return Buffer.concat([header, body]);
};

const overBytes = limits.frameMaxBytes - frameHeaderBytes + 1;
const broken: [string, string, Buffer][] = [
  ["magic", "BAD_FRAME", spoiled((bytes) => bytes.writeUInt8(0, 0))],
  ["an HTTP request", "BAD_FRAME", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["framing version", "UNSUPPORTED_VERSION", spoiled((bytes) => bytes.writeUInt8(9, 2))],
  ["kind", "BAD_FRAME", spoiled((bytes) => bytes.writeUInt8(99, 3))],
  ["reserved field", "BAD_FRAME", spoiled((bytes) => bytes.writeUInt16BE(1, 6))],
  ["length", "FRAME_TOO_LARGE", spoiled((bytes) => bytes.writeUInt32BE(0xffff_ffff, 12))],
  ["one byte over", "FRAME_TOO_LARGE", spoiled((bytes) => bytes.writeUInt32BE(overBytes, 12))],
  ["no JSON", "BAD_FRAME", withBody(Buffer.from("{no"))],
  ["no body", "BAD_FRAME", withBody(Buffer.alloc(0))],
  ["broken UTF-8", "BAD_FRAME", withBody(Buffer.from([0x22, 0xff, 0x22]))],
  ["another hello", "BAD_FRAME", frameOf("hello")],
  ["a response", "BAD_FRAME", frameOf("response")],
  ["an error", "BAD_FRAME", frameOf("error")],
];

function frameOf(kind: Frame["kind"]): Buffer {
  return encodeFrame({ kind, type: 1, requestId: 3, body: {} });
}

describe("broken frames of a proved peer are answered with an error and the end", () => {
  test.each(broken)("%s: %s", async (_what, code, bytes) => {
    await using peer = await RawPeer.proved(server.endpoint);
    await peer.write(Buffer.concat([requestBytes("ping", 1, {}), bytes]));
    // What was asked before the nonsense is answered still.
    expect(await peer.nextFrame("answer")).toMatchObject({ kind: "response", requestId: 1 });
    const refusal = await peer.nextFrame("refusal");
    expect(refusal).toMatchObject({ kind: "error", requestId: 0, body: { code } });
    await peer.untilClosed();
    await serverStillAnswers();
  });
});

test("an unknown message type is an error of that request alone", async () => {
  await using peer = await RawPeer.proved(server.endpoint);
  const unknown = spoiled((bytes) => bytes.writeUInt16BE(999, 4));
  await peer.write(Buffer.concat([unknown, requestBytes("ping", 4, {})]));
  expect([await peer.nextFrame("error"), await peer.nextFrame("answer")]).toMatchObject([
    { kind: "error", type: 999, requestId: 3, body: { code: "UNKNOWN_MESSAGE" } },
    { kind: "response", type: 1, requestId: 4 },
  ]);
});

test("bodies that are no request are BAD_REQUEST each", async () => {
  await using peer = await RawPeer.proved(server.endpoint);
  const bodies = [null, 1, "x", [], {}, { count: "1" }, { count: 1.5 }, { count: 1e99 }];
  await peer.write(Buffer.concat(bodies.map((body, i) => requestBytes("lease", i + 1, body))));
  const answers = await until("all are answered", () =>
    peer.frames.length === bodies.length ? peer.frames : undefined,
  );
  expect(answers).toMatchObject(
    bodies.map((_, i) => ({ kind: "error", requestId: i + 1, body: { code: "BAD_REQUEST" } })),
  );
});

test("frames one byte at a time are answered", async () => {
  await using peer = await RawPeer.proved(server.endpoint);
  await peer.writeCrumbs(
    Buffer.concat([requestBytes("ping", 1, {}), requestBytes("lease", 2, { count: 5 })]),
  );
  expect([await peer.nextFrame("first"), await peer.nextFrame("second")]).toMatchObject([
    { kind: "response", requestId: 1 },
    { kind: "response", requestId: 2, body: { count: 5 } },
  ]);
});

test("frames at random splits are answered", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 65_536 }), { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
      async (counts, sizes) => {
        await using peer = await RawPeer.proved(server.endpoint);
        const bytes = Buffer.concat(
          counts.map((count, i) => requestBytes("lease", i + 1, { count })),
        );
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value ?? 1;
          // The pieces must leave in this order.
          await peer.write(bytes.subarray(at, at + size));
          await new Promise((next) => setImmediate(next));
          at += size;
        }
        await until("all are answered", () => peer.frames.length === counts.length);
        const got = peer.frames.map(({ body }) => (body as { count: number }).count);
        expect(got.toSorted((a, b) => a - b)).toEqual(counts.toSorted((a, b) => a - b));
      },
    ),
    { numRuns: 15 },
  ));

test("random bytes, before or behind the handshake, harm nobody else", () =>
  fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 600 }),
      fc.boolean(),
      async (bytes, proved) => {
        await using peer = proved
          ? await RawPeer.proved(server.endpoint)
          : await RawPeer.connect(server.endpoint);
        await peer.write(bytes);
        if (bytes.length >= frameHeaderBytes) {
          expect((await peer.nextFrame("refusal")).kind).toBe("error");
          await peer.untilClosed();
        }
        await serverStillAnswers();
      },
    ),
    { numRuns: 40 },
  ));

test("a peer that goes away in the middle of a frame is forgotten", async () => {
  {
    await using peer = await RawPeer.proved(server.endpoint);
    const bytes = requestBytes("lease", 1, { count: 5 });
    await peer.write(bytes.subarray(0, bytes.length - 1));
  }
  await serverStillAnswers();
});
