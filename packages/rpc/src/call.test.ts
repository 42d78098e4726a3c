import { describe, expect, test } from "bun:test";
import { blobIdFromNumber, DsmError, limits, type TrackerStatus } from "@dsm/protocol";
import { clientOf, failureOf, idServer } from "./testing/servers.ts";
import { RawPeer, requestBytes } from "./testing/raw-peer.ts";

const status: TrackerStatus = {
  startedAtMs: 7,
  softwareVersion: "0.1.0",
  groups: [{ group: "g1", members: [] }],
};

describe("a call", () => {
  test("is answered, at once or later", async () => {
    await using server = idServer();
    await using tracker = idServer({ role: "tracker", handlers: { status: async () => status } });
    using ids = clientOf(server.endpoint);
    using tracked = clientOf(tracker.endpoint, { role: "client" });
    const answers = [
      await ids.call("ping", {}),
      await ids.call("lease", { count: 9 }),
      await tracked.call("status", {}),
    ];
    expect(answers).toEqual([
      { role: "id", nowMs: 1 },
      { first: blobIdFromNumber(9), count: 9 },
      status,
    ]);
  });

  test("runs beside 1000 others over one connection and gets its own answer", async () => {
    await using server = idServer({ connectionsMax: 1 });
    using client = clientOf(server.endpoint);
    const counts = Array.from({ length: 1000 }, (_, i) => i + 1);
    const leases = await Promise.all(counts.map((count) => client.call("lease", { count })));
    expect(leases).toEqual(counts.map((count) => ({ first: blobIdFromNumber(count), count })));
    expect(server.faults).toEqual([]);
  });

  test("gets the answers in any order", async () => {
    const first = Promise.withResolvers<void>();
    await using server = idServer({
      handlers: {
        lease: async ({ count }) => {
          if (count === 1) await first.promise;
          return { first: blobIdFromNumber(count), count };
        },
      },
    });
    using client = clientOf(server.endpoint);
    const slow = client.call("lease", { count: 1 });
    expect((await client.call("lease", { count: 2 })).count).toBe(2);
    first.resolve();
    expect((await slow).count).toBe(1);
  });

  test("gives the handler what the schema names and nothing else", async () => {
    const requests: unknown[] = [];
    await using server = idServer({
      handlers: {
        lease: (request) => {
          requests.push(request);
          return { first: blobIdFromNumber(1), count: 1 };
        },
      },
    });
    await using peer = await RawPeer.proved(server.endpoint);
    await peer.write(requestBytes("lease", 1, { count: 1, secretly: "more" }));
    await peer.nextFrame("the answer");
    expect(requests).toEqual([{ count: 1 }]);
  });

  test("tells the handler who asks", async () => {
    const roles: string[] = [];
    await using server = idServer({
      handlers: {
        ping: (_request, { session, signal }) => {
          roles.push(`${session.peerRole} ${signal.aborted}`);
          return { role: "id", nowMs: 1 };
        },
      },
    });
    using gateway = clientOf(server.endpoint, { role: "gateway" });
    await gateway.call("ping", {});
    expect(roles).toEqual(["gateway false"]);
  });
});

describe("a call fails with", () => {
  test("the handler's own error, code, message and remedy", async () => {
    const said = new DsmError("CATALOG_UNAVAILABLE", "the catalog is down", { remedy: "wait" });
    await using server = idServer({ handlers: { lease: () => Promise.reject(said) } });
    using client = clientOf(server.endpoint);
    const error = await failureOf(client.call("lease", { count: 1 }));
    expect(error).toMatchObject(said.toWire());
    expect(server.faults).toEqual([]);
  });

  test.each(["at once", "later"])("INTERNAL and nothing of the inside, thrown %s", async (when) => {
    const inside = new TypeError("password hunter2 is undefined");
    await using server = idServer({
      handlers: {
        lease: () => {
          if (when === "later") return Promise.reject(inside);
          throw inside;
        },
      },
    });
    using client = clientOf(server.endpoint);
    const error = await failureOf(client.call("lease", { count: 1 }));
    expect(error).toMatchObject({
      code: "INTERNAL",
      message: "the id server failed on this request",
      remedy: "the log of that server says why",
    });
    expect(server.faults.map(({ code, cause }) => ({ code, cause }))).toEqual([
      { code: "INTERNAL", cause: inside },
    ]);
  });

  test("BAD_REQUEST that names the field, and no handler runs", async () => {
    await using server = idServer();
    using client = clientOf(server.endpoint);
    const error = await failureOf(client.call("lease", { count: 0 }));
    expect(error).toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(/^the lease request is malformed: count: /),
    });
  });

  test("FORBIDDEN from the wrong role", async () => {
    await using server = idServer();
    using client = clientOf(server.endpoint, { role: "client" });
    expect(await failureOf(client.call("lease", { count: 1 }))).toMatchObject({
      code: "FORBIDDEN",
      message: "a client may not ask lease",
      remedy: "ask it as storage",
    });
  });

  test("UNKNOWN_MESSAGE where it is not served, even when a handler stands there", async () => {
    await using server = idServer({ handlers: { status: () => status } });
    using client = clientOf(server.endpoint);
    const errors = [
      await failureOf(client.call("status", {})),
      await failureOf(client.call("lease", { count: 1 })),
    ];
    expect(errors).toMatchObject([
      { code: "UNKNOWN_MESSAGE", remedy: "ask a server of role tracker" },
      { code: "UNKNOWN_MESSAGE", remedy: "ask a server of role id" },
    ]);
  });

  test("FRAME_TOO_LARGE for too long a request or answer, and the connection goes on", async () => {
    const long = "x".repeat(limits.frameMaxBytes);
    await using server = idServer({
      role: "tracker",
      connectionsMax: 1,
      handlers: {
        status: () => ({ ...status, softwareVersion: long }),
        ping: () => ({ role: "tracker", nowMs: 1 }),
        stat: () => {
          throw new DsmError("FILE_NOT_FOUND", long);
        },
      },
    });
    using client = clientOf(server.endpoint, { role: "client" });
    const errors = [
      await failureOf(client.call("status", {})),
      await failureOf(client.call("stat", { user: "u", fileId: "f" })),
      await failureOf(client.call("stat", { user: "u", fileId: long })),
    ];
    expect(errors.map((error) => (error as DsmError).code)).toEqual([
      "FRAME_TOO_LARGE",
      "FRAME_TOO_LARGE",
      "FRAME_TOO_LARGE",
    ]);
    expect(await client.call("ping", {})).toEqual({ role: "tracker", nowMs: 1 });
  });

  test("BAD_FRAME when the answer does not fit the schema", async () => {
    await using server = idServer({ handlers: { ping: () => ({ role: "id", nowMs: -1 }) } });
    using client = clientOf(server.endpoint);
    expect(await failureOf(client.call("ping", {}))).toMatchObject({
      code: "BAD_FRAME",
      message: expect.stringContaining("malformed answer to ping: nowMs: "),
    });
  });
});

test("the answers of one data event leave in one write", async () => {
  await using server = idServer({ handlers: { ping: () => ({ role: "id", nowMs: 1 }) } });
  await using peer = await RawPeer.proved(server.endpoint);
  const before = peer.dataEvents;
  await peer.write(
    Buffer.concat(Array.from({ length: 100 }, (_, i) => requestBytes("ping", i + 1, {}))),
  );
  for (let id = 1; id <= 100; id++) {
    expect((await peer.nextFrame("the answer")).requestId).toBe(id);
  }
  expect(peer.dataEvents - before).toBe(1);
});
