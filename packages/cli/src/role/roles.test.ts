import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir, until } from "@dsm/testkit";
import { dsm, Lines, spawnDsm } from "../testing/dsm.ts";

/** Starts a role and waits until it is ready. */
async function start(args: string[], env: Record<string, string>) {
  const child = spawnDsm([...args, "--json"], { env });
  const ready = JSON.parse(await new Lines(child.stdout).next()) as { endpoint: string };
  return {
    child,
    endpoint: ready.endpoint,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function freePort(): Promise<number> {
  using probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return probe.port;
}

test("each role runs as its own process, from file, variables and flags", async () => {
  await using dir = await tempDir();
  const secretPath = join(dir.path, "secret");
  const configPath = join(dir.path, "dsm.toml");
  await writeFile(secretPath, "s".repeat(64), { mode: 0o600 });
  await writeFile(
    configPath,
    `catalog = "sqlite:${dir.path}/catalog.db"\nsecret_file = "secret"\nlog_level = "error"\n` +
      `[storage]\nreserve = "0B"\n[tracker]\nheartbeat_interval = "100ms"\nmissed_beats = 1000\n`,
  );
  const env = { DSM_CONFIG: configPath, DSM_DRAIN_DELAY: "0s" };
  expect(await dsm(["catalog", "migrate"], { env })).toMatchObject({ exit: 0, err: "" });
  await using tracker = await start(["tracker", "--listen", "127.0.0.1:0"], env);
  await using ids = await start(["id", "--listen", "127.0.0.1:0"], env);
  const found = { ...env, DSM_TRACKERS: tracker.endpoint };
  await using storage = await start(
    `storage --listen 127.0.0.1:${await freePort()} --workers 2 --id s1 --group g1`
      .split(" ")
      .concat("--root", join(dir.path, "g1"), "--id-servers", ids.endpoint),
    found,
  );
  const port = await freePort();
  await using gateway = await start(
    ["gateway", "--http", `127.0.0.1:${port}`, "--workers", "2", "--delivery", "proxy"],
    found,
  );
  const url = `${gateway.endpoint}/media/ann/a.txt`;
  await until("the storage has joined", async () => {
    const answer = await fetch(url, { method: "PUT", body: "hello" });
    return answer.status === 201;
  });
  expect(await (await fetch(url)).text()).toBe("hello");
  const down = await dsm(["download", "a.txt", "--user", "ann", "-o", "-"], { env: found });
  expect(down).toEqual({ exit: 0, out: "hello", err: "" });

  await stop(gateway);
  await stop(storage);
  // It has taken its leave: the silence alone would be noticed after 100 s.
  const { out } = await dsm(["status", "--json"], { env: found });
  expect(JSON.parse(out).groups[0].members).toEqual([
    expect.objectContaining({ storageId: "s1", online: false }),
  ]);
  await stop(ids);
  await stop(tracker);
});

async function stop({ child }: Awaited<ReturnType<typeof start>>): Promise<void> {
  child.kill("SIGTERM");
  expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
}

async function workersOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("workers end with their supervisor, and it ends when one of them does", async () => {
  const cluster = { DSM_SECRET: "s".repeat(64), DSM_TRACKERS: "127.0.0.1:1" };
  const env = { ...cluster, DSM_WORKERS: "2", DSM_DRAIN_DELAY: "0s" };
  const gateway = async () => start(["gateway", "--http", `127.0.0.1:${await freePort()}`], env);
  await using first = await gateway();
  const [worker = 0, other = 0] = await workersOf(first.child.pid);
  process.kill(worker, "SIGKILL");
  const line = expect.stringContaining("a worker of the gateway ended with exit code 137");
  expect([await first.child.exited, await first.child.stderr.text()]).toEqual([1, line]);
  expect(isAlive(other)).toBe(false);

  await using second = await gateway();
  const orphans = await workersOf(second.child.pid);
  expect(orphans).toHaveLength(2);
  second.child.kill("SIGKILL");
  await until("no worker is left", () => !orphans.some(isAlive));
});

test("a role that cannot start says so in one line", async () => {
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await using dir = await tempDir();
  const env = {
    DSM_SECRET: "s".repeat(64),
    DSM_CATALOG: `sqlite:${dir.path}/catalog.db`,
    DSM_TRACKERS: "127.0.0.1:1",
  };
  const busy = `127.0.0.1:${taken.port}`;
  await dsm(["catalog", "migrate"], { env });
  const results = await Promise.all([
    dsm(["tracker", "--listen", busy], { env }),
    dsm(["tracker", "--listen", "127.0.0.1:0"], {
      env: { ...env, DSM_CATALOG: "mysql://u:p@127.0.0.1:1/d" },
    }),
    dsm(["gateway", "--http", busy], { env }),
    dsm(["gateway", "--http", busy, "--workers", "2"], { env }),
    dsm(["gateway", "--http", "0.0.0.0:0"], { env }),
    dsm(["gateway", "--http", "127.0.0.1:0", "--workers", "2"], { env }),
    dsm(["storage"], { env }),
  ]);
  expect(results.map(({ exit, out }) => [exit, out])).toEqual(
    [1, 5, 1, 1, 2, 2, 2].map((exit) => [exit, ""]),
  );
  const [, , , workers, ...rest] = results;
  // Each worker says why.
  expect(workers?.err).toContain("in use");
  for (const { err } of [...results.slice(0, 3), ...rest]) expect(err).toMatch(/^dsm: [^\n]+\n$/);
});
