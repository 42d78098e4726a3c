import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { limits } from "@dsm/protocol";
import {
  type Galera,
  galeraMissing,
  HostBox,
  hostsMissing,
  startGalera,
  tempDir,
  until,
} from "@dsm/testkit";
import { Site } from "./site.ts";
import { Traffic, type TrafficFigures } from "./traffic.ts";

const databaseHosts = ["db1", "db2", "db3"];
/** What uploads may wait when one node is lost: for dsm to see it, and for Galera to agree. */
const uploadGapMaxMs = 8_000;

const stack = new AsyncDisposableStack();
let box: HostBox;
let galera: Galera;
let site: Site;
let http: string;
let users = 0;

/** Traffic while something happens, and what it saw of it. */
async function through(what: string, happens: () => Promise<void>): Promise<TrafficFigures> {
  const terms = { http, writeKey: site.writeKey, user: `user${users++}` };
  const traffic = await Traffic.start(box.host("client"), terms);
  await traffic.goesOn();
  const startMs = performance.now();
  await happens();
  await traffic.goesOn(1, 1);
  const recoveredMs = performance.now() - startMs;
  await traffic.goesOn();
  const figures = await traffic.stop();
  console.log(what, { recoveredMs: Math.round(recoveredMs), ...figures });
  expect(figures).toMatchObject({ failedUploads: 0, wrongBytes: 0, lost: 0, reconnects: 0 });
  return figures;
}

/** Switches hosts on again, and starts what ran there. */
async function boot(...names: string[]): Promise<void> {
  for (const name of names) {
    await box.host(name).boot();
    await galera.node(databaseHosts.indexOf(name)).start();
  }
  await galera.settled();
}

const missing = hostsMissing ?? galeraMissing();

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
        gateways: ["a"],
        delivery: "proxy",
      }),
    );
    http = `http://${site.gateways[0]?.endpoint}`;
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("the host of the node in use dies, then its cable is cut", async () => {
    const killed = await through("node in use killed", async () => {
      await box.host("db1").kill();
    });
    expect(killed.longestUploadGapMs).toBeLessThan(uploadGapMaxMs);
    await boot("db1");
    // Long enough for all to have gone back to it.
    await Bun.sleep(limits.catalogReturnMs + limits.catalogProbeMs);
    const cut = await through("cable of the node in use cut", async () => {
      await box.network.cut(["db1"], ["db2", "db3", "a", "b"]);
    });
    expect(cut.longestUploadGapMs).toBeLessThan(uploadGapMaxMs);
    await box.network.heal();
    await galera.settled();
  }, 60_000);

  test("two nodes die: uploads are refused, reads go on, and all goes on later", async () => {
    const figures = await through("two nodes killed, then back", async () => {
      await Promise.all([box.host("db1").kill(), box.host("db2").kill()]);
      const { status, problem } = await until("uploads are refused", async () => {
        const answer = await put("refused");
        return answer.status === 503 ? answer : undefined;
      });
      expect({ status, code: problem.code }).toEqual({ status: 503, code: "CATALOG_UNAVAILABLE" });
      await boot("db1", "db2");
    });
    expect(figures.longestReadGapMs).toBeLessThan(1_000);
  }, 60_000);

  test("the power of all nodes fails: the one that has the most begins again", async () => {
    await through("all nodes killed, bootstrapped", async () => {
      await Promise.all(databaseHosts.map((name) => box.host(name).kill()));
      for (const name of databaseHosts) await box.host(name).boot();
      await galera.bootstrap();
    });
  }, 60_000);
});

/** One upload from the client's host. */
async function put(fileId: string): Promise<{ status: number; problem: { code?: string } }> {
  const said = await box
    .host("client")
    .run([
      ...["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}"],
      ...["--request", "PUT", "--data-binary", "x"],
      ...["--header", `Authorization: Bearer ${site.writeKey}`],
      `${http}/media/refused/${fileId}`,
    ]);
  const [body = "", status] = said.split(/\n(?=\d+$)/);
  return { status: Number(status), problem: body === "" ? {} : (JSON.parse(body) as object) };
}
