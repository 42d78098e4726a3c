import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import { DsmProcesses } from "./dsm-processes.ts";

/** Long enough for what is looked at meanwhile, on a busy machine. */
const delayMs = 2_500;
/** Timers may be a little early. */
const delayAtLeastMs = delayMs - 100;

const stack = new AsyncDisposableStack();
let cluster: DsmProcesses;

beforeAll(async () => {
  const env = { DSM_DRAIN_DELAY: `${delayMs}ms` };
  cluster = stack.use(await DsmProcesses.start({ delivery: "proxy", env }));
  expect((await put("a.txt")).status).toBe(201);
});
afterAll(() => stack.disposeAsync());

const urlOf = (name: string) => `${cluster.http}/media/ann/${name}`;
const put = (name: string) => fetch(urlOf(name), { method: "PUT", body: "hello" });

/** The exit code, and how long it took to end. */
async function terminate(role: { terminate(): Promise<number> }) {
  const startMs = performance.now();
  const exit = await role.terminate();
  return { exit, tookMs: performance.now() - startMs };
}

/** What everybody who is told to stop does in the end. */
async function endsInOrder(ended: ReturnType<typeof terminate>): Promise<void> {
  const { exit, tookMs } = await ended;
  expect(exit).toBe(0);
  expect(tookMs).toBeGreaterThan(delayAtLeastMs);
}

describe("a role that is told to stop says so first, and serves on meanwhile", () => {
  test("a storage: trackers name it no longer, and who remembers it is served", async () => {
    const [storage] = cluster.storages;
    if (storage === undefined) throw new Error("no storage was started");
    const health = () => fetch(`http://${storage.endpoint}/healthz`);
    expect((await health()).status).toBe(200);
    const ended = terminate(storage);
    await until("it is unwell", async () => (await health()).status === 503);
    await until("trackers know", async () => {
      const { stdout } = await cluster.run("status", "--json");
      const { groups } = JSON.parse(stdout) as {
        groups: { members: { storageId: string; online: boolean }[] }[];
      };
      const members = groups.flatMap((group) => group.members);
      return members.some(({ storageId, online }) => storageId === "s1" && !online);
    });
    // Without a capability it answers, and refuses: the port is open.
    expect((await fetch(`http://${storage.endpoint}/media/ann/a.txt`)).status).toBe(401);
    expect((await put("b.txt")).status).toBe(201);
    await endsInOrder(ended);
    await storage.start();
  }, 30_000);

  test("a tracker: pings fail, everything else is answered", async () => {
    const [tracker] = cluster.trackers;
    if (tracker === undefined) throw new Error("no tracker was started");
    expect((await cluster.run("ping", tracker.endpoint)).code).toBe(0);
    const ended = terminate(tracker);
    const ping = await until("pings fail", async () => {
      const result = await cluster.run("ping", tracker.endpoint);
      return result.code === 0 ? undefined : result;
    });
    expect(ping.stderr).toContain("this server is shutting down");
    const stat = await cluster.run(
      ..."stat a.txt --user ann --tracker".split(" "),
      tracker.endpoint,
    );
    expect(stat).toMatchObject({ code: 0, stderr: "" });
    await endsInOrder(ended);
    await tracker.start();
  }, 30_000);

  test("a gateway: it is not ready, and takes and gives files", async () => {
    const ready = () => fetch(`${cluster.http}/readyz`);
    await until("it is ready", async () => (await ready()).status === 200);
    const ended = terminate(cluster.gateway);
    const refusal = await until("it is not ready", async () => {
      const answer = await ready();
      return answer.status === 503 ? answer : undefined;
    });
    expect(await refusal.json()).toEqual({ ready: false, reason: "this gateway is stopping" });
    expect(await (await fetch(urlOf("a.txt"))).text()).toBe("hello");
    expect((await put("c.txt")).status).toBe(201);
    await endsInOrder(ended);
    expect(ready()).rejects.toThrow();
  }, 30_000);
});
