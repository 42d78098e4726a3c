import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { clusterSecret, limits, type StorageState } from "@dsm/protocol";
import { RpcClient, serveRpc } from "@dsm/rpc";
import { tempDir } from "@dsm/testkit";
import { dsm } from "../testing/dsm.ts";

const stack = new AsyncDisposableStack();
let cluster: Cluster;
let dataDir: string;
let env: Record<string, string>;

beforeAll(async () => {
  dataDir = stack.use(await tempDir()).path;
  cluster = stack.use(await startCluster({ dataDir, reserveBytes: 0, heartbeatIntervalMs: 100 }));
  env = {
    DSM_TRACKERS: cluster.trackerEndpoints.join(","),
    DSM_ID_SERVERS: cluster.ids.map(({ endpoint }) => endpoint).join(","),
    DSM_SECRET: cluster.secret,
    DSM_CATALOG: `sqlite:${join(dataDir, "catalog.db")}`,
  };
});
afterAll(() => stack.disposeAsync());

/** What a storage says that is not where it claims to be; only the first tracker hears it. */
const ghost: StorageState = {
  storageId: "ghost",
  group: "g9",
  dataUrl: "http://127.0.0.1:1",
  publicUrl: "http://127.0.0.1:1",
  freeBytes: 1,
  totalBytes: 1_000,
  full: true,
  failing: true,
  activeRequests: 0,
  draining: true,
  incarnation: Bun.randomUUIDv7(),
  softwareVersion: "0.0.9",
};

interface Told {
  readonly level: string;
  readonly check: string;
  readonly object: string;
  readonly what: string;
  readonly remedy?: string;
}

/** What is wrong, and the exit code; what this machine itself is like is left out. */
async function examine(more: Record<string, string> = {}, args: readonly string[] = []) {
  const { exit, out, err } = await dsm(["doctor", "--json", ...args], { env: { ...env, ...more } });
  expect(err).toBe("");
  const { findings } = JSON.parse(out) as { findings: Told[] };
  const bad = findings.filter(({ level }) => level === "error" || level === "warning");
  for (const { remedy } of bad) expect(remedy).toBeString();
  return { exit, findings, bad: bad.filter(({ check }) => check !== "host") };
}

test("of a healthy cluster nothing bad is said", async () => {
  const { exit, findings, bad } = await examine({}, ["--gateway", cluster.http]);
  expect([exit, bad]).toEqual([0, []]);
  const well = findings.filter(({ level }) => level === "ok").map(({ object }) => object);
  for (const object of [
    ...cluster.trackerEndpoints.map((endpoint) => `tracker ${endpoint}`),
    `ID server ${cluster.ids[0]!.endpoint}`,
    "storage g1-s1 of group g1",
    "storage g1-s2 of group g1",
    "group g1",
    `catalog ${env["DSM_CATALOG"]}`,
    `gateway ${cluster.http}`,
  ]) {
    expect(well).toContain(object);
  }
});

test("a piece of a file comes through the gateway; what cannot be read so is told", async () => {
  await using client = cluster.client();
  const put = (fileId: string, sizeBytes: number) =>
    client.upload({ user: "ann", fileId, source: bytesSource(new Uint8Array(sizeBytes)) });
  await put("film", 5_000_000);
  await put("nothing", 0);
  // It has no Range: what stands before a gateway may lose it.
  await using front = Bun.serve({ port: 0, fetch: () => new Response("x".repeat(5_000_000)) });
  const media = ["film", "nothing", "none"].map((id) => `${cluster.http}/media/ann/${id}`);
  const urls = [...media, `${front.url.href}film?sig=secret`, "http://127.0.0.1:1/film"];
  const { exit, findings } = await examine({}, ["--media", urls.join(",")]);
  expect(exit).toBe(1);
  const said = findings.filter(({ check }) => check === "media");
  const at = (url: string) => said.find(({ object }) => object === `media ${url}`);
  expect(at(urls[0]!)).toMatchObject({
    level: "ok",
    what: expect.stringMatching(/^a piece of it comes in /),
  });
  expect(at(urls[1]!)).toMatchObject({ level: "skipped", what: expect.stringContaining("empty") });
  expect(at(urls[2]!)).toMatchObject({ level: "error", what: "it answers 404" });
  expect(at(`${front.url.href}film`)).toMatchObject({
    level: "error",
    what: "a Range is answered with the whole file: players cannot seek",
  });
  expect(at(urls[4]!)).toMatchObject({ level: "error" });
  expect(JSON.stringify(said)).not.toContain("secret");
});

test("a member of the group that the others do not see has another file system", async () => {
  const secret = clusterSecret(cluster.secret);
  const clients = cluster.trackerEndpoints.map(
    (tracker) => new RpcClient({ endpoint: tracker, role: "storage", secret }),
  );
  // As a storage does that proves nothing, at an address where an honest one answers.
  const { dataUrl } = cluster.storages[0]!.running;
  const incarnation = Bun.randomUUIDv7();
  const alien = { ...ghost, storageId: "alien", group: "g1", dataUrl, publicUrl: dataUrl };
  const state = { ...alien, incarnation, full: true, failing: false, draining: false };
  const say = (name: "join" | "heartbeat") =>
    Promise.all(clients.map((client) => client.call(name, state)));
  await say("join");
  const beating = setInterval(() => void say("heartbeat"), 50);
  try {
    const { exit, bad } = await examine();
    expect(exit).toBe(1);
    const apart = bad.filter(({ check }) => check === "groups");
    expect(apart.map(({ level, object }) => `${level} ${object}`)).toEqual([
      "error group g1",
      "error group g1",
      "error group g1",
    ]);
    expect(apart.map(({ what }) => what.split(":")[0])).toContain(
      "storages g1-s2 and alien have different file systems",
    );
  } finally {
    clearInterval(beating);
    const leave = { storageId: "alien", incarnation };
    await Promise.all(clients.map((client) => client.call("leave", leave)));
    for (const client of clients) client.close();
    expect((await dsm(["storage", "remove", "alien"], { env })).exit).toBe(0);
  }
});

test("for people there is a line for each finding, and one that counts them", async () => {
  const { exit, out } = await dsm(["doctor"], { env: { ...env, DSM_CATALOG: "" } });
  expect(exit).toBe(0);
  expect(out).toContain("ok       storage g1-s1 of group g1: serves at http://127.0.0.1:");
  expect(out).toContain("skipped  catalog: its URL is not known here\n         → name it with");
  expect(out).toMatch(/\n\n0 error, \d warning, \d+ skipped, \d+ ok\n$/);
});

test("another secret, a dead tracker, and no tracker at all", async () => {
  const other = await examine({ DSM_SECRET: "x".repeat(64) });
  expect(other.exit).toBe(1);
  const secrets = other.bad.filter(({ check }) => check !== "storages");
  expect(secrets).toHaveLength(3);
  for (const { remedy } of secrets) expect(remedy).toContain("the same cluster secret");

  const one = await examine({ DSM_TRACKERS: `${env["DSM_TRACKERS"]},127.0.0.1:1` });
  expect(one.exit).toBe(1);
  expect(one.bad).toEqual([
    expect.objectContaining({ object: "tracker 127.0.0.1:1", level: "error" }),
  ]);
  expect((await examine({ DSM_TRACKERS: "127.0.0.1:1" })).exit).toBe(5);
});

test("a clock that is wrong is told with how far it is off", async () => {
  const secret = clusterSecret(cluster.secret);
  const aheadMs = limits.clockSkewMaxMs;
  await using server = serveRpc({
    role: "id",
    hostname: "127.0.0.1",
    port: 0,
    secret,
    handlers: { ping: () => ({ role: "id", nowMs: Date.now() + aheadMs }) },
  });
  const { exit, bad } = await examine({ DSM_ID_SERVERS: server.endpoint });
  expect(exit).toBe(1);
  expect(bad).toEqual([
    expect.objectContaining({
      check: "id-servers",
      level: "error",
      what: expect.stringMatching(/^its clock is (59|60)\.\d s ahead of this host's$/),
    }),
  ]);
});

test("a storage at a dead address, full, failing, draining, of an old version", async () => {
  const secret = clusterSecret(cluster.secret);
  const endpoint = cluster.trackerEndpoints[0]!;
  using storage = {
    client: new RpcClient({ endpoint, role: "storage", secret }),
    [Symbol.dispose]() {
      this.client.close();
    },
  };
  await storage.client.call("join", ghost);
  const beating = setInterval(() => void storage.client.call("heartbeat", ghost), 50);
  try {
    const { exit, bad } = await examine();
    expect(exit).toBe(1);
    const said = bad.map(({ level, object, what }) => `${level} ${object}: ${what}`).join("\n");
    const name = "storage ghost of group g9";
    for (const part of [
      `error tracker ${cluster.trackerEndpoints[1]}: it does not see storage ghost`,
      `error ${name}: writing to its disk fails`,
      `error ${name}: full, it takes no uploads`,
      `warning ${name}: draining`,
      `warning ${name}: it runs version 0.0.9`,
      `error ${name}: http://127.0.0.1:1 cannot be reached from here`,
    ]) {
      expect(said).toContain(part);
    }
    expect(bad.filter(({ object }) => object !== name)).toHaveLength(1);
    const status = await dsm(["status"], { env: { ...env, DSM_TRACKERS: endpoint } });
    expect(status.out).toMatch(/ghost +draining, failing, full \(/);
  } finally {
    clearInterval(beating);
    await storage.client.call("leave", { storageId: "ghost", incarnation: ghost.incarnation });
  }
  expect((await examine()).bad).toEqual([
    expect.objectContaining({ level: "error", what: expect.stringContaining("offline, last") }),
  ]);
});

test("a catalog without tables, and a gateway that is none", async () => {
  const empty = join(dataDir, "empty.db");
  await writeFile(empty, "");
  const catalog = await examine({ DSM_CATALOG: `sqlite:${empty}` });
  expect(catalog.bad.filter(({ check }) => check === "catalog")).toEqual([
    expect.objectContaining({
      level: "error",
      what: expect.stringContaining("its tables are missing"),
      remedy: expect.stringContaining("dsm catalog migrate"),
    }),
  ]);
  const storage = cluster.storages[0]!.running.dataUrl;
  const { bad } = await examine({}, ["--gateway", `http://127.0.0.1:1,${storage}`]);
  expect(bad.filter(({ check }) => check === "gateways").map(({ what }) => what)).toEqual([
    expect.stringContaining("it cannot be reached from here"),
    expect.stringContaining("it is not ready"),
  ]);
});
