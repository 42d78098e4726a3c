import { describe, expect, test } from "bun:test";
import { AskerHandshake, encodeFrame, type Frame, protocolVersions } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";
import { clientOf, failureOf, idServer, otherSecret, secret } from "./testing/servers.ts";

const hello = (body: object): Buffer => encodeFrame({ kind: "hello", type: 0, requestId: 0, body });
const goodHello = {
  versions: protocolVersions,
  features: [],
  role: "storage",
  nonce: "n".repeat(22),
};

/** A server whose handler must never run, with how often it did. */
function guarded(options: Parameters<typeof idServer>[0] = {}) {
  const calls = { count: 0 };
  const ping = () => {
    calls.count++;
    return { role: "id", nowMs: 1 } as const;
  };
  return { server: idServer({ handlers: { ping }, ...options }), calls };
}

describe("who does not hold the secret is refused", () => {
  test("a server with another secret: the client finds out and asks nothing", async () => {
    const { server, calls } = guarded({ secret: otherSecret });
    await using _ = server;
    using client = clientOf(server.endpoint);
    expect(await failureOf(client.call("ping", {}))).toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringContaining("the server does not hold this cluster's secret"),
      remedy: expect.stringContaining("DSM_SECRET"),
    });
    expect(calls.count).toBe(0);
  });

  test("a client that does not care about the server's proof", async () => {
    const { server, calls } = guarded();
    await using _ = server;
    await using peer = await RawPeer.connect(server.endpoint);
    await peer.write(hello(goodHello));
    const challenge = await peer.nextFrame("challenge");
    const proof = otherSecret.prove("asker proof", [JSON.stringify(challenge.body)]);
    const bytes = encodeFrame({ kind: "proof", type: 0, requestId: 0, body: { proof } });
    await peer.write(Buffer.concat([bytes, requestBytes("ping", 1, {})]));
    expect(await peer.nextFrame("refusal")).toMatchObject({
      kind: "error",
      requestId: 0,
      body: { code: "FORBIDDEN" },
    });
    await peer.untilClosed();
    expect([calls.count, peer.frames, server.faults.map((error) => error.code)]).toEqual([
      0,
      [],
      ["FORBIDDEN"],
    ]);
  });

  test("a client that sends the server's own proof back", async () => {
    const { server, calls } = guarded();
    await using _ = server;
    await using peer = await RawPeer.connect(server.endpoint);
    await peer.write(hello(goodHello));
    const { proof } = (await peer.nextFrame("challenge")).body as { proof: string };
    await peer.write(encodeFrame({ kind: "proof", type: 0, requestId: 0, body: { proof } }));
    expect((await peer.nextFrame("refusal")).body).toMatchObject({ code: "FORBIDDEN" });
    expect(calls.count).toBe(0);
  });

  test("a client that repeats an old proof on a new connection", async () => {
    const { server, calls } = guarded();
    await using _ = server;
    const asker = new AskerHandshake({ secret, role: "storage", nonce: "n".repeat(22) });
    let proof: Frame | undefined;
    {
      await using first = await RawPeer.connect(server.endpoint);
      await first.write(encodeFrame(asker.open()));
      proof = asker.receive(await first.nextFrame("challenge")).send;
    }
    await using second = await RawPeer.connect(server.endpoint);
    await second.write(encodeFrame(asker.open()));
    await second.nextFrame("challenge");
    if (proof !== undefined) await second.write(encodeFrame(proof));
    expect((await second.nextFrame("refusal")).body).toMatchObject({ code: "FORBIDDEN" });
    expect(calls.count).toBe(0);
  });

  test("a request before the proof", async () => {
    const { server, calls } = guarded();
    await using _ = server;
    await using peer = await RawPeer.connect(server.endpoint);
    await peer.write(requestBytes("ping", 1, {}));
    expect((await peer.nextFrame("refusal")).body).toMatchObject({ code: "BAD_FRAME" });
    await peer.untilClosed();
    expect(calls.count).toBe(0);
  });
});

test("a request in one piece with the proof is answered", async () => {
  await using server = idServer();
  await using peer = await RawPeer.connect(server.endpoint);
  const asker = new AskerHandshake({ secret, role: "storage", nonce: "n".repeat(22) });
  await peer.write(encodeFrame(asker.open()));
  const { send } = asker.receive(await peer.nextFrame("challenge"));
  if (send === undefined) throw new Error("no proof");
  // Longer than a stranger's frame may be: the limit rises between the two frames.
  const long = requestBytes("ping", 1, { ignored: "x".repeat(5000) });
  await peer.write(Buffer.concat([encodeFrame(send), long]));
  const kinds = [(await peer.nextFrame("welcome")).kind, (await peer.nextFrame("answer")).kind];
  expect(kinds).toEqual(["welcome", "response"]);
});

test("versions that do not meet are refused with what both sides speak", async () => {
  const { server, calls } = guarded();
  await using _ = server;
  await using peer = await RawPeer.connect(server.endpoint);
  await peer.write(hello({ ...goodHello, versions: { min: 7, max: 9 } }));
  expect((await peer.nextFrame("refusal")).body).toEqual({
    code: "UNSUPPORTED_VERSION",
    message: "this id server speaks protocol version 1, and the storage that asks versions 7 to 9",
    remedy: "bring the side with the older dsm up to date: see `dsm --version` on both",
  });
  await peer.untilClosed();
  expect(calls.count).toBe(0);
});

test("a stranger's frame over the small limit is refused by its header alone", async () => {
  await using server = idServer();
  await using peer = await RawPeer.connect(server.endpoint);
  const big = requestBytes("ping", 1, { x: "x".repeat(5000) });
  await peer.write(big.subarray(0, 16));
  expect((await peer.nextFrame("refusal")).body).toMatchObject({ code: "FRAME_TOO_LARGE" });
  await peer.untilClosed();
});

test("a stranger who says nothing is cut off", async () => {
  await using server = idServer({ handshakeTimeoutMs: 20 });
  await using peer = await RawPeer.connect(server.endpoint);
  expect((await peer.nextFrame("refusal")).body).toEqual({
    code: "TIMEOUT",
    message: "no handshake within 20 ms",
  });
  await peer.untilClosed();
});

test("connections over the maximum are told so, and there is room again later", async () => {
  await using server = idServer({ connectionsMax: 2 });
  using late = clientOf(server.endpoint);
  {
    await using first = await RawPeer.proved(server.endpoint);
    await using second = await RawPeer.proved(server.endpoint);
    expect(await failureOf(late.call("ping", {}))).toMatchObject({
      code: "OVERLOADED",
      message: expect.stringContaining("this server has its 2 connections already"),
    });
    expect([first.closed, second.closed]).toEqual([false, false]);
  }
  await until("there is room", () => late.call("ping", {}).then(Boolean, () => false));
});
