import { expect, test } from "bun:test";
import { limits } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";
import { clientOf, failureOf, idServer } from "./testing/servers.ts";

const answer = { role: "id", nowMs: 1 } as const;

/** Why a server cannot listen there. */
function listening(hostname: string, port: number): Promise<unknown> {
  return failureOf(Promise.resolve().then(() => idServer({ hostname, port })));
}

test("drain answers what is in flight, refuses the rest and closes", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  await using server = idServer({
    handlers: {
      ping: async () => {
        asked++;
        await gate.promise;
        return answer;
      },
    },
  });
  using client = clientOf(server.endpoint);
  await using idle = await RawPeer.proved(server.endpoint);
  await using stranger = await RawPeer.connect(server.endpoint);
  const inFlight = client.call("ping", {});
  await until("it is in flight", () => asked === 1);
  const drained = server.drain();
  await Promise.all([idle.untilClosed(), stranger.untilClosed()]);
  expect(await failureOf(client.call("ping", {}))).toMatchObject({
    code: "DRAINING",
    message: "this server is shutting down",
    remedy: "ask another server",
  });
  using late = clientOf(server.endpoint);
  expect(await failureOf(late.call("ping", {}))).toMatchObject({ code: "UNREACHABLE" });
  gate.resolve();
  expect(await inFlight).toEqual(answer);
  await drained;
  expect([asked, server.connections]).toEqual([1, 0]);
});

test("drain gives a slow reader all that it asked for", async () => {
  const status = {
    startedAtMs: 1,
    softwareVersion: "x".repeat(limits.outboxHighWaterBytes),
    groups: [],
  };
  await using server = idServer({ role: "tracker", handlers: { status: () => status } });
  await using slow = await RawPeer.proved(server.endpoint, "client");
  slow.pause();
  const asked = 12;
  for (let id = 1; id <= asked; id++) {
    await slow.write(requestBytes("status", id, {}));
  }
  using other = clientOf(server.endpoint, { role: "client" });
  await other.call("status", {});
  const drained = server.drain();
  slow.resume();
  await drained;
  await slow.untilClosed();
  const responses = slow.frames.filter(({ kind }) => kind === "response");
  expect(responses.length).toBeGreaterThan(2);
  expect(responses.map(({ requestId }) => requestId)).toEqual(responses.map((_, i) => i + 1));
});

test("a drained server frees its port, and draining or killing it again is nothing", async () => {
  await using server = idServer();
  using client = clientOf(server.endpoint);
  await client.call("ping", {});
  await server.drain();
  await using again = idServer({ port: server.port });
  await server.drain();
  server.kill();
  expect(await client.call("ping", {})).toEqual(answer);
  expect(again.port).toBe(server.port);
});

test("nothing that was asked runs once the server is killed", async () => {
  let asked = 0;
  const server = idServer({
    handlers: {
      ping: () => {
        asked++;
        server.kill();
        return answer;
      },
    },
  });
  await using peer = await RawPeer.proved(server.endpoint);
  await peer.write(Buffer.concat([1, 2, 3].map((id) => requestBytes("ping", id, {}))));
  await peer.untilClosed();
  expect([asked, peer.frames]).toEqual([1, []]);
});

test("kill frees the port at once and says nothing to anybody", async () => {
  await using server = idServer();
  await using peer = await RawPeer.proved(server.endpoint);
  server.kill();
  await using again = idServer({ port: server.port });
  await peer.untilClosed();
  expect([peer.frames, again.port]).toEqual([[], server.port]);
});

test("the address of another server, or of no interface, is refused in one clear line", async () => {
  await using server = idServer();
  expect([
    await listening("127.0.0.1", server.port),
    await listening("203.0.113.9", 7700),
  ]).toMatchObject([
    {
      code: "ADDRESS_IN_USE",
      message: `the id server cannot listen on ${server.endpoint}: another process does`,
      remedy: "stop that process or choose another port",
    },
    {
      code: "BAD_CONFIG",
      message: "the id server cannot listen on 203.0.113.9:7700: EADDRNOTAVAIL",
      remedy: "choose an address of this machine",
    },
  ]);
});

test("an IPv6 server has its endpoint in brackets and is reached by it", async () => {
  await using server = idServer({ hostname: "::1" });
  using client = clientOf(server.endpoint);
  expect(server.endpoint).toBe(`[::1]:${server.port}`);
  expect(await client.call("ping", {})).toEqual(answer);
});
