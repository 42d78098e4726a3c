import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  type Galera,
  galeraMissing,
  type GaleraNode,
  HostBox,
  hostsMissing,
  keepalivedMissing,
  startGalera,
  tempDir,
  until,
} from "@dsm/testkit";
import { MovingAddresses } from "./moving-addresses.ts";
import { ports, Site } from "./site.ts";
import { through } from "./through.ts";
import { Traffic, type TrafficFigures } from "./traffic.ts";

const databaseHosts = ["db1", "db2", "db3"];
/** What uploads may wait when one node is lost: for dsm to see it, and for Galera to agree. */
const uploadGapMaxMs = 8_000;
/** What readers of files that are known may see of a catalog that is away: that it is noticed. */
const readGapMaxMs = 2_500;

const stack = new AsyncDisposableStack();
let box: HostBox;
let galera: Galera;
let site: Site;
let http: string;
let users = 0;

async function during(what: string, happens: () => Promise<void>): Promise<TrafficFigures> {
  // A player that is patient enough to see the longest wait, and begins anew every four seconds.
  const patience = { readBytes: 8_000_000, stallMs: 3_000 };
  const terms = { http, writeKey: site.writeKey, user: `user${users++}`, ...patience };
  const traffic = await Traffic.start(box.host("client"), terms);
  const figures = await through(traffic, what, happens);
  expect(figures).toMatchObject({ reconnects: 0 });
  expect(figures.longestReadGapMs).toBeLessThan(readGapMaxMs);
  return figures;
}

/** Appliers are not counted, only those who say COMMIT to this node. */
async function isWrittenTo(node: GaleraNode): Promise<boolean> {
  const [row] = await node.query("SHOW GLOBAL STATUS LIKE 'Com_commit'");
  return Number(row?.["Value"]) > 0;
}

/** Switches hosts on again, and starts what ran there. */
async function boot(...names: string[]): Promise<void> {
  for (const name of names) await box.host(name).boot();
  await Promise.all(names.map((name) => galera.node(databaseHosts.indexOf(name)).start()));
  await galera.settled();
}

const missing = hostsMissing ?? galeraMissing() ?? keepalivedMissing;

describe.skipIf(missing !== undefined)("a catalog on Galera", () => {
  beforeAll(async () => {
    const disk = stack.use(await tempDir());
    box = stack.use(await HostBox.open({ hosts: [...databaseHosts, "a", "b", "client"] }));
    galera = stack.use(await startGalera({ hosts: databaseHosts.map((name) => box.host(name)) }));
    const root = join(disk.path, "g1");
    site = stack.use(
      await Site.open({
        box,
        catalogUrl: galera.url(await galera.createDatabase()),
        trackers: ["a", "b"],
        ids: ["a"],
        storages: ["a", "b"].map((host) => ({ group: "g1", host, root })),
        gateways: ["a", "b"],
        delivery: "proxy",
      }),
    );
    const { secretFile } = site;
    const hosts = { gateways: ["a", "b"], trackers: ["a", "b"] };
    await new MovingAddresses({ box, ...hosts, secretFile }).keep();
    http = `http://${MovingAddresses.gateways}:${ports.gateway}`;
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("the host of the node in use dies, then its cable is cut", async () => {
    const killed = await during("node in use killed", async () => {
      await box.host("db1").kill();
    });
    expect(killed.longestUploadGapMs).toBeLessThan(uploadGapMaxMs);
    await boot("db1");
    const cut = await during("it is used again, and its cable cut", async () => {
      await until("it is used again", () => isWrittenTo(galera.node(0)));
      await box.network.cut(["db1"], ["db2", "db3", "a", "b"]);
    });
    expect(cut.longestUploadGapMs).toBeLessThan(uploadGapMaxMs);
    await box.network.heal();
    await galera.settled();
  }, 60_000);

  test("two nodes die: uploads are refused, reads go on, and all goes on later", async () => {
    await during("two nodes killed, then back", async () => {
      await Promise.all([box.host("db1").kill(), box.host("db2").kill()]);
      const { status, problem } = await until("uploads are refused", async () => {
        const answer = await put("refused");
        return answer.status === 503 ? answer : undefined;
      });
      expect({ status, code: problem.code }).toEqual({ status: 503, code: "CATALOG_UNAVAILABLE" });
      await boot("db1", "db2");
    });
  }, 60_000);

  test("the power of all nodes fails: the one that has the most begins again", async () => {
    await during("all nodes killed, bootstrapped", async () => {
      await Promise.all(databaseHosts.map((name) => box.host(name).kill()));
      for (const name of databaseHosts) await box.host(name).boot();
      await galera.bootstrap();
    });
  }, 60_000);
});

/** One upload from the client's host. */
async function put(fileId: string): Promise<{ status: number; problem: { code?: string } }> {
  const url = `${http}/media/refused/${fileId}`;
  const said = await box.host("client").run(
    [
      ["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}"],
      ["--request", "PUT", "--data-binary", "x"],
      ["--header", `Authorization: Bearer ${site.writeKey}`, url],
    ].flat(),
  );
  const [body = "", status] = said.split(/\n(?=\d+$)/);
  return { status: Number(status), problem: body === "" ? {} : (JSON.parse(body) as object) };
}
