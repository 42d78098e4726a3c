import { afterAll, beforeAll, expect, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";
import { dsm, Lines, spawnDsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let client: DsmClient;
let env: Record<string, string>;

beforeAll(async () => {
  const { path: dataDir } = stack.use(await tempDir());
  const slow = { movePollMs: 20, moveBytesPerSecond: 2_000_000, heartbeatIntervalMs: 100 };
  cluster = stack.use(await startCluster({ dataDir, groups: 2, reserveBytes: 0, ...slow }));
  client = stack.use(cluster.client());
  env = { DSM_TRACKERS: cluster.trackerEndpoints.join(","), DSM_SECRET: cluster.secret };
  for (const [user, count] of [
    ["ann", 3],
    ["bob", 6],
  ] as const) {
    await client.assign(user, "g1");
    for (let i = 0; i < count; i++) {
      const source = bytesSource(new Uint8Array(1_000_000).fill(i));
      await client.upload({ user, fileId: `f${i}`, source });
    }
  }
});
afterAll(() => stack.disposeAsync());

const run = (line: string) => dsm(line.split(" "), { env });

test("assign waits until all files are there", async () => {
  expect(await run("user moves")).toMatchObject({
    exit: 0,
    out: "all files are in the groups of their users\n",
  });
  expect(await run("user assign ann g2")).toEqual({
    exit: 0,
    out: "ann is in group g2, with 3 files, 2.9 MiB\n",
    err: "",
  });
  const { files } = await client.list({ user: "ann", limit: 9 });
  expect(files.map(({ group }) => group)).toEqual(["g2", "g2", "g2"]);
});

const groupsOf = async (user: string) => {
  const { files } = await client.list({ user, limit: 9 });
  return files.map(({ group }) => group);
};
const moved = (user: string) =>
  until("all files have moved", async () => {
    return (await client.moves({ user, limit: 9 })).moves.length === 0;
  });

test("--no-wait and Ctrl-C leave it to the storages, which user moves shows", async () => {
  await using waiting = spawnDsm(["user", "assign", "bob", "g2"], { env });
  const said = new Lines(waiting.stderr);
  await until("it has begun", async () => (await groupsOf("bob")).includes("g2"));
  waiting.kill("SIGINT");
  expect(await waiting.exited).toBe(130);
  expect(await said.next()).toContain("go on moving in the background");
  await moved("bob");
  expect(new Set(await groupsOf("bob"))).toEqual(new Set(["g2"]));

  const begun = await run("user assign bob g1 --no-wait --json");
  expect(begun.exit).toBe(0);
  expect(JSON.parse(begun.out)).toMatchObject({ user: "bob", group: "g1", left: { files: 6 } });
  const shown = await run("user moves bob");
  expect(shown.out).toMatch(/^USER +FROM +TO +FILES LEFT +BYTES LEFT\nbob +g2 +g1 +\d /);
  await moved("bob");
  expect(new Set(await groupsOf("bob"))).toEqual(new Set(["g1"]));
});

test("a storage that is gone for good is forgotten by all trackers", async () => {
  const refused = await run("storage remove g2-s2");
  expect([refused.exit, refused.err]).toEqual([4, expect.stringContaining("is online")]);
  expect((await run("storage drain g2-s2")).exit).toBe(0);
  await cluster.storages.find(({ name }) => name === "g2-s2")!.drain();
  expect(await run("storage remove g2-s2")).toEqual({
    exit: 0,
    out: "storage g2-s2 is forgotten; it would join again if it were started\n",
    err: "",
  });
  expect((await run("status")).out).not.toContain("g2-s2");
  const again = await run("storage remove g2-s2");
  expect([again.exit, again.err]).toEqual([3, expect.stringContaining("no tracker knows")]);
});
