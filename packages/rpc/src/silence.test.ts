import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { encodeFrame, limits, messages } from "@dsm/protocol";
import { startProcess, type TestProcess } from "@dsm/testkit";
import { RpcPool } from "./pool.ts";
import { oddServer } from "./testing/odd-server.ts";
import { clientOf, failureOf, idServer, secret } from "./testing/servers.ts";

const script = join(import.meta.dir, "testing/ping-process.ts");

async function serverProcess(): Promise<TestProcess & { endpoint: string }> {
  const cmd = [process.execPath, script];
  const started = await startProcess({ cmd, ready: /listens on (\S+)/ });
  return Object.assign(started, { endpoint: started.readyMatch?.[1] ?? "" });
}

const hang = ({ pid }: TestProcess) => process.kill(pid, "SIGSTOP");

describe("a server that is silent", () => {
  test("is given up long before the time of a call is over, when it hangs", async () => {
    await using server = await serverProcess();
    using client = clientOf(server.endpoint);
    await client.call("ping", {});
    hang(server);
    const startMs = performance.now();
    const failure = await failureOf(client.call("lease", { count: 1 }, { timeoutMs: 60_000 }));
    expect(failure).toMatchObject({
      code: "UNREACHABLE",
      message: `${server.endpoint} fell silent: its host, its network or it is stuck`,
    });
    expect(performance.now() - startMs).toBeGreaterThan(limits.silenceProbeMs);
    expect(performance.now() - startMs).toBeLessThan(30_000);
  });

  test("is waited for when it is slow and lives", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using server = idServer({
      handlers: {
        ping: () => ({ role: "id", nowMs: 1 }),
        lease: async ({ count }) => {
          await promise;
          return { first: "0000000000000001", count } as never;
        },
      },
    });
    using client = clientOf(server.endpoint);
    const slow = client.call("lease", { count: 1 }, { timeoutMs: 60_000 });
    setTimeout(resolve, 3 * limits.silenceProbeMs);
    expect(await slow).toMatchObject({ count: 1 });
  });

  test("does not keep a pool from the others", async () => {
    await using hung = await serverProcess();
    await using other = await serverProcess();
    const endpoints = [hung.endpoint, other.endpoint];
    const pool = new RpcPool({ endpoints, role: "storage", secret });
    await Promise.all(endpoints.map(() => pool.call("ping", {})));
    hang(hung);
    expect(await pool.call("lease", { count: 7 }, { timeoutMs: 60_000 })).toMatchObject({
      count: 7,
    });
    pool.close();
  });
});

/** Answers pings, and hangs up at every lease but those of which it is told. */
function hangingUp(takesLease: () => boolean) {
  return oddServer(({ type, requestId }) => {
    const body =
      type === messages.ping.type
        ? { role: "id", nowMs: 1 }
        : { first: "0000000000000001", count: 1 };
    if (type !== messages.ping.type && !takesLease()) return "hang up";
    return encodeFrame({ kind: "response", type, requestId, body });
  });
}

describe("a server that breaks a connection that it had taken", () => {
  test("is asked once more when there is no other one", async () => {
    let asked = 0;
    using server = hangingUp(() => ++asked > 1);
    const pool = new RpcPool({ endpoints: [server.endpoint], role: "storage", secret });
    await pool.call("ping", {});
    expect(await pool.call("lease", { count: 1 })).toMatchObject({ count: 1 });
    expect([asked, server.accepted]).toEqual([2, 2]);
    pool.close();
  });

  test("and again at once is not asked a third time", async () => {
    let asked = 0;
    using server = hangingUp(() => ++asked > 9);
    const pool = new RpcPool({ endpoints: [server.endpoint], role: "storage", secret });
    await pool.call("ping", {});
    expect(await failureOf(pool.call("lease", { count: 1 }))).toMatchObject({
      code: "UNREACHABLE",
    });
    expect([asked, server.accepted]).toEqual([2, 2]);
    pool.close();
  });

  test("is not asked again where another one can be", async () => {
    let asked = 0;
    using server = hangingUp(() => ++asked > 9);
    await using other = idServer();
    const endpoints = [server.endpoint, other.endpoint];
    const pool = new RpcPool({ endpoints, role: "storage", secret });
    await pool.callAll("ping", {});
    for (const count of [1, 2, 3]) await pool.call("lease", { count });
    expect([asked, server.accepted]).toEqual([1, 1]);
    pool.close();
  });
});
