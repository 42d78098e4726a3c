import { describe, expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import { clientOf, failureOf, idServer } from "./testing/servers.ts";

const answer = { role: "id", nowMs: 1 } as const;

/** A server whose lease hangs until its asker is gone, with how many hang. */
function hanging() {
  const state = { hanging: 0, aborted: 0 };
  const server = idServer({
    handlers: {
      ping: () => answer,
      lease: (_request, { signal }) => {
        state.hanging++;
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => {
          state.aborted++;
          reject(signal.reason);
        });
        return promise;
      },
    },
  });
  return { server, state };
}

describe("a call gives up", () => {
  test("when the time is over, and the connection serves on", async () => {
    const { server, state } = hanging();
    await using _ = server;
    using client = clientOf(server.endpoint);
    await client.call("ping", {});
    const call = client.call("lease", { count: 1 }, { timeoutMs: 30 });
    expect(await failureOf(call)).toMatchObject({
      code: "TIMEOUT",
      message: `${server.endpoint} did not answer lease within 30 ms`,
    });
    expect([await client.call("ping", {}), state]).toEqual([answer, { hanging: 1, aborted: 0 }]);
    client.close();
    await until("the server sees the asker gone", () => state.aborted === 1);
  });

  test("each at its own time", async () => {
    const { server } = hanging();
    await using _ = server;
    using client = clientOf(server.endpoint);
    const ended: number[] = [];
    await Promise.all(
      [120, 40, 80].map(async (timeoutMs) => {
        await failureOf(client.call("lease", { count: 1 }, { timeoutMs }));
        ended.push(timeoutMs);
      }),
    );
    expect(ended).toEqual([40, 80, 120]);
    client.close();
  });

  test("when its signal says so, with the signal's reason", async () => {
    const { server, state } = hanging();
    await using _ = server;
    using client = clientOf(server.endpoint);
    const abort = new AbortController();
    const reason = new Error("the user pressed Ctrl-C");
    const call = client.call("lease", { count: 1 }, { signal: abort.signal });
    await until("the server has it", () => state.hanging === 1);
    abort.abort(reason);
    expect(await failureOf(call)).toBe(reason);
    const late = client.call("ping", {}, { signal: abort.signal });
    expect(await failureOf(late)).toBe(reason);
    expect(await client.call("ping", {})).toEqual(answer);
    client.close();
  });

  test("and its late answer is no fault of the server", async () => {
    const gate = Promise.withResolvers<void>();
    await using server = idServer({
      connectionsMax: 1,
      handlers: { ping: () => gate.promise.then(() => answer) },
    });
    using client = clientOf(server.endpoint);
    await failureOf(client.call("ping", {}, { timeoutMs: 20 }));
    gate.resolve();
    // A second connection would be refused: this is the one with the late answer on it.
    expect(await client.call("ping", {})).toEqual(answer);
  });
});

describe("a server that is lost", () => {
  test("in mid-call fails the call, and the next call connects anew on the same port", async () => {
    const { server, state } = hanging();
    using client = clientOf(server.endpoint);
    const calls = [1, 2, 3].map((count) => failureOf(client.call("lease", { count })));
    await until("all hang", () => state.hanging === 3);
    server.kill();
    const lost = {
      code: "UNREACHABLE",
      message: `${server.endpoint} closed the connection before it answered lease`,
    };
    expect(await Promise.all(calls)).toMatchObject([lost, lost, lost]);
    expect(state.aborted).toBe(3);
    expect(await failureOf(client.call("ping", {}))).toMatchObject({
      code: "UNREACHABLE",
      message: `${server.endpoint} cannot be reached: nothing listens there`,
      remedy: "check that the server runs there",
    });
    await using _ = idServer({ port: server.port });
    expect(await client.call("ping", {})).toEqual(answer);
  });

  test("and silent from the start costs the connect time-out", async () => {
    using mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    using client = clientOf(`127.0.0.1:${mute.port}`, { connectTimeoutMs: 30 });
    expect(await failureOf(client.call("ping", {}))).toMatchObject({
      code: "UNREACHABLE",
      message: `127.0.0.1:${mute.port} did not take the connection within 30 ms`,
    });
  });

  test("and silent costs an impatient caller no more than it wants to wait", async () => {
    using mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    using client = clientOf(`127.0.0.1:${mute.port}`, { connectTimeoutMs: 60_000 });
    const late = client.call("ping", {}, { timeoutMs: 20 });
    expect(await failureOf(late)).toMatchObject({ code: "TIMEOUT" });
    const abort = new AbortController();
    const call = client.call("ping", {}, { signal: abort.signal });
    abort.abort();
    expect(await failureOf(call)).toBe(abort.signal.reason);
  });

  test("behind a connection that stays open is asked over a new one after the time-out", async () => {
    let connections = 0;
    await using server = idServer({
      handlers: {
        ping: async (_request, { signal }) => {
          if (connections++ > 0) return answer;
          const { promise, resolve } = Promise.withResolvers<void>();
          signal.addEventListener("abort", () => resolve());
          await promise;
          return answer;
        },
      },
    });
    using client = clientOf(server.endpoint, { requestTimeoutMs: 40 });
    expect(await failureOf(client.call("ping", {}))).toMatchObject({ code: "TIMEOUT" });
    await until("the silent connection is closed", () => server.connections === 0);
    expect(await client.call("ping", {}, { timeoutMs: 5_000 })).toEqual(answer);
  });
});

test("concurrent first calls share one connection", async () => {
  await using server = idServer({ connectionsMax: 1 });
  using client = clientOf(server.endpoint);
  const answers = await Promise.all(Array.from({ length: 50 }, () => client.call("ping", {})));
  expect(answers).toEqual(Array.from({ length: 50 }, () => answer));
});

test("a closed client fails its calls, and those that come later", async () => {
  const { server, state } = hanging();
  await using _ = server;
  using client = clientOf(server.endpoint);
  const call = failureOf(client.call("lease", { count: 1 }));
  await until("the server has it", () => state.hanging === 1);
  client.close();
  const closed = {
    code: "UNREACHABLE",
    message: `the connection to ${server.endpoint} was closed here`,
  };
  expect([await call, await failureOf(client.call("ping", {}))]).toMatchObject([closed, closed]);
  await until("the server sees it", () => server.connections === 0);
});

test("a client that is closed while it connects does not connect", async () => {
  await using server = idServer();
  using client = clientOf(server.endpoint);
  const call = failureOf(client.call("ping", {}));
  client.close();
  expect(await call).toMatchObject({ code: "UNREACHABLE" });
  await until("nobody is connected", () => server.connections === 0);
});
