import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Cluster, startCluster } from "@dsm/cluster";
import { startProcess, tempDir } from "@dsm/testkit";
import { dsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let env: Record<string, string>;

beforeAll(async () => {
  const { path: dataDir } = stack.use(await tempDir());
  cluster = stack.use(await startCluster({ dataDir, reserveBytes: 0 }));
  env = { DSM_SECRET: cluster.secret };
});
afterAll(() => stack.disposeAsync());

const ping = (args: readonly string[], more: Record<string, string> = env) =>
  dsm(["ping", ...args], { env: more });

test("trackers, ID servers, gateways and pages of storages answer", async () => {
  const [tracker = ""] = cluster.trackerEndpoints;
  const asked = await ping([tracker]);
  expect(asked).toMatchObject({ exit: 0, err: "" });
  expect(asked.out).toContain(`${tracker}: the tracker answers in `);
  const id = await ping([cluster.ids[0]?.endpoint ?? "", "--json"]);
  expect(JSON.parse(id.out)).toMatchObject({ role: "id" });
  const gateway = await ping([cluster.gateway.running.url], {});
  expect(gateway).toMatchObject({ exit: 0, err: "" });
  expect(gateway.out).toContain("ready in");
});

test("what is dead, hangs or is not ready is told in time", async () => {
  const [tracker = ""] = cluster.trackerEndpoints;
  expect(await ping(["127.0.0.1:1"])).toMatchObject({ exit: 5 });
  expect(await ping(["http://127.0.0.1:1"])).toMatchObject({ exit: 5 });
  expect(await ping([tracker], { DSM_SECRET: "f".repeat(64) })).toMatchObject({ exit: 6 });
  const missing = await ping([`${cluster.gateway.running.url}/files/ann/none`]);
  expect(missing.exit).not.toBe(0);
  expect(missing.err).toContain("answers 404");
  // A process that hangs: the kernel takes the connection, and nobody ever answers.
  await using hung = await startProcess({
    cmd: [
      process.execPath,
      "-e",
      "const { port } = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }); console.log('port', port)",
    ],
    ready: /port (\d+)/,
  });
  process.kill(hung.pid, "SIGSTOP");
  const at = `127.0.0.1:${hung.readyMatch?.[1]}`;
  for (const target of [at, `http://${at}`]) {
    const startMs = performance.now();
    const answer = await ping([target, "--timeout", "300ms"]);
    expect(answer.exit).toBe(5);
    expect(answer.err).toContain("300 ms");
    expect(performance.now() - startMs).toBeLessThan(5_000);
  }
});

test("says what is wrong with what it is asked", async () => {
  expect(await ping(["127.0.0.1"])).toMatchObject({ exit: 2 });
  expect(await ping(["http://"])).toMatchObject({ exit: 2 });
  expect(await ping(["127.0.0.1:1", "--timeout", "5"])).toMatchObject({ exit: 2 });
  expect((await ping(["127.0.0.1:1"], {})).err).toContain("no cluster secret");
});
