import { describe, expect, test } from "bun:test";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { RpcPool } from "./pool.ts";
import type { RpcServerOptions } from "./server.ts";
import { failureOf, idServer, otherSecret, secret, type WatchedServer } from "./testing/servers.ts";

const answer = { role: "id", nowMs: 1 } as const;
const fail = (code: ConstructorParameters<typeof DsmError>[0]): Partial<RpcServerOptions> => ({
  handlers: {
    ping: () => {
      throw new DsmError(code, `this server says ${code}`);
    },
  },
});

interface Servers extends AsyncDisposable {
  readonly servers: WatchedServer[];
  readonly pool: RpcPool;
}

/** An answer that says which of the servers it is from. */
const answersAs = (nowMs: number): Partial<RpcServerOptions> => ({
  handlers: { ping: () => ({ role: "id", nowMs }) },
});

/** A pool over one server for each of the options. */
function poolOver(...options: Partial<RpcServerOptions>[]): Servers {
  const servers = options.map((each) => idServer(each));
  const endpoints = servers.map(({ endpoint }) => endpoint);
  const pool = new RpcPool({ endpoints, role: "storage", secret });
  return {
    servers,
    pool,
    async [Symbol.asyncDispose]() {
      pool.close();
      await Promise.all(servers.map((server) => server.drain()));
    },
  };
}

describe("a pool goes to the next server", () => {
  test.each(["GROUP_UNAVAILABLE", "CATALOG_UNAVAILABLE", "OVERLOADED", "BAD_FRAME"] as const)(
    "when one says %s",
    async (code) => {
      await using all = poolOver(fail(code), {});
      expect(await all.pool.call("ping", {})).toEqual(answer);
    },
  );

  test("when one cannot be reached, has another secret, or does not know the message", async () => {
    await using all = poolOver({}, { secret: otherSecret }, { handlers: {} }, {});
    all.servers[0]?.kill();
    expect(await all.pool.call("ping", {})).toEqual(answer);
  });

  test("when one does not answer in time, and stays there", async () => {
    let asked = 0;
    const { promise: hung, resolve: release } = Promise.withResolvers<typeof answer>();
    const ping = () => {
      asked++;
      return hung;
    };
    await using all = poolOver({ handlers: { ping } }, {});
    expect(await all.pool.call("ping", {}, { timeoutMs: 30 })).toEqual(answer);
    expect(await all.pool.call("ping", {}, { timeoutMs: 30 })).toEqual(answer);
    expect(asked).toBe(1);
    release(answer);
  });
});

describe("a pool", () => {
  const askers = { role: "storage", secret } as const;

  test("stays with the server that answered last when another one is back", async () => {
    const down = idServer(answersAs(0));
    down.kill();
    await using up = idServer(answersAs(1));
    const endpoints = [down.endpoint, up.endpoint];
    const pool = new RpcPool({ endpoints, endpointRestMs: 0, ...askers });
    const before = await pool.call("ping", {});
    await using _ = idServer({ ...answersAs(0), port: down.port });
    const after = await pool.call("ping", {});
    pool.close();
    expect([before.nowMs, after.nowMs]).toEqual([1, 1]);
  });

  test("asks another one first when the answer of the last one was of no use", async () => {
    await using all = poolOver(answersAs(0), answersAs(1));
    const ask = async (elsewhere: boolean) =>
      (await all.pool.call("ping", {}, { elsewhere })).nowMs;
    expect([await ask(false), await ask(true), await ask(false), await ask(true)]).toEqual([
      0, 1, 1, 0,
    ]);
  });

  test("asks a server that failed a moment ago last", async () => {
    const down = idServer(answersAs(0));
    down.kill();
    await using second = idServer(answersAs(1));
    await using third = idServer(answersAs(2));
    const endpoints = [down.endpoint, second.endpoint, third.endpoint];
    const pool = new RpcPool({ endpoints, endpointRestMs: 60_000, ...askers });
    const before = await pool.call("ping", {});
    await using _ = idServer({ ...answersAs(0), port: down.port });
    second.kill();
    const after = await pool.call("ping", {});
    pool.close();
    expect([before.nowMs, after.nowMs]).toEqual([1, 2]);
  });
});

describe("a pool does not go on", () => {
  test.each(["FILE_NOT_FOUND", "BAD_REQUEST", "INTERNAL"] as const)(
    "when the answer is %s",
    async (code) => {
      await using all = poolOver(fail(code), {});
      expect(await failureOf(all.pool.call("ping", {}))).toMatchObject({ code });
    },
  );

  test("when the caller gave up", async () => {
    let asked = 0;
    await using all = poolOver(
      {
        handlers: {
          ping: (_request, { signal }) =>
            new Promise((_resolve, reject) => {
              asked++;
              signal.addEventListener("abort", () => reject(signal.reason));
            }),
        },
      },
      {},
    );
    const abort = new AbortController();
    const call = failureOf(all.pool.call("ping", {}, { signal: abort.signal }));
    await until("the first server has it", () => asked === 1);
    abort.abort();
    expect(await call).toBe(abort.signal.reason);
    all.pool.close();
  });
});

describe("when all fail the pool throws", () => {
  test("a server's own answer before one that could not be reached", async () => {
    await using all = poolOver({}, fail("GROUP_UNAVAILABLE"), fail("OVERLOADED"));
    all.servers[0]?.kill();
    expect(await failureOf(all.pool.call("ping", {}))).toMatchObject({
      code: "GROUP_UNAVAILABLE",
      message: "this server says GROUP_UNAVAILABLE",
    });
  });

  test("FORBIDDEN before UNREACHABLE, because that can be mended", async () => {
    await using all = poolOver({}, { secret: otherSecret });
    all.servers[0]?.kill();
    expect(await failureOf(all.pool.call("ping", {}))).toMatchObject({ code: "FORBIDDEN" });
  });

  test("UNREACHABLE with every endpoint and why it failed", async () => {
    await using all = poolOver({}, fail("DRAINING"), {});
    const [first, second, third] = all.servers;
    first?.kill();
    third?.kill();
    expect(await failureOf(all.pool.call("ping", {}))).toMatchObject({
      code: "UNREACHABLE",
      message: [
        `no tracker or ID server answered ping: ${first?.endpoint} cannot be reached: nothing listens there`,
        `${second?.endpoint} said: this server says DRAINING`,
        `${third?.endpoint} cannot be reached: nothing listens there`,
      ].join(", "),
      remedy: "is the tracker running there?",
    });
  });

  test("TIMEOUT when none was in time", async () => {
    const { promise: hung, resolve: release } = Promise.withResolvers<typeof answer>();
    const hangs = { handlers: { ping: () => hung } };
    await using all = poolOver(hangs, hangs);
    expect(await failureOf(all.pool.call("ping", {}, { timeoutMs: 20 }))).toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("did not answer ping within 20 ms, 127.0.0.1:"),
    });
    release(answer);
  });
});

test("callAll tells what each of them said", async () => {
  await using all = poolOver({}, fail("OVERLOADED"), {});
  all.servers[2]?.kill();
  const [first, second, third] = all.pool.endpoints;
  expect(await all.pool.callAll("ping", {})).toMatchObject([
    { endpoint: first, response: answer },
    { endpoint: second, error: { code: "OVERLOADED" } },
    { endpoint: third, error: { code: "UNREACHABLE" } },
  ]);
});

test("a pool of no endpoint, or of one that is none, is BAD_CONFIG", () => {
  for (const endpoints of [[], ["localhost"]]) {
    expect(() => new RpcPool({ endpoints, role: "client", secret })).toThrow(
      expect.objectContaining({ code: "BAD_CONFIG" }),
    );
  }
});

test("no call fails while servers are killed and started again in turn", async () => {
  const servers = [idServer(), idServer(), idServer()];
  const endpoints = servers.map(({ endpoint }) => endpoint);
  const pool = new RpcPool({ endpoints, role: "storage", secret });
  const stop = new AbortController();
  let answered = 0;
  const askers = Array.from({ length: 8 }, async (_, asker) => {
    while (!stop.signal.aborted) {
      const count = asker + 1;
      // Each asker asks one thing after the other.
      const lease = await pool.call("lease", { count });
      expect(lease).toEqual({ first: blobIdFromNumber(count), count });
      answered++;
    }
  });
  for (let round = 0; round < 12; round++) {
    const index = round % servers.length;
    const port = servers[index]?.port ?? 0;
    servers[index]?.kill();
    const before = answered;
    await until("others answer", () => answered > before + 50);
    servers[index] = idServer({ port });
  }
  stop.abort();
  // A failed call rejects here.
  await Promise.all(askers);
  pool.close();
  await Promise.all(servers.map((server) => server.drain()));
});
