import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { migrateCatalog } from "@dsm/catalog";
import { clusterSecret } from "@dsm/protocol";
import { type Galera, galeraMissing, startGalera, until } from "@dsm/testkit";
import { checkCatalog } from "./catalog.ts";

// Three servers start first, on a machine that may be busy.
setDefaultTimeout(60_000);

const missing = galeraMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(`the catalog on Galera${why}`, () => {
  let galera: Galera;
  let url: string;
  beforeAll(async () => {
    galera = await startGalera();
    url = galera.url(await galera.createDatabase());
    await migrateCatalog(url);
    await galera.settled();
  });
  afterAll(() => galera[Symbol.asyncDispose]());

  async function look(catalogUrl = url) {
    const nothing = { trackers: [], idServers: [], gateways: [], media: [], storage: "none" };
    const seen = await checkCatalog({
      ...nothing,
      secret: clusterSecret("5".repeat(64)),
      catalogUrl,
    });
    return new Map(seen.map((found) => [found.object.replace(/^.*@|\/.*$/g, ""), found]));
  }

  test("each node is looked at; of two, and of one without the others, it is said", async () => {
    const all = await look();
    expect([...all.keys()]).toEqual(galera.nodes.map(({ endpoint }) => endpoint));
    for (const { level, what } of all.values()) {
      expect([level, what]).toEqual(["ok", "reachable, migrated, durable"]);
    }

    const [one, two, three] = [galera.node(0), galera.node(1), galera.node(2)];
    await three.kill();
    const two3 = await until("the others have noticed", async () => {
      const seen = await look();
      return seen.get(one.endpoint)?.what.includes("its cluster has 2 nodes") ? seen : undefined;
    });
    expect(two3.get(one.endpoint)).toMatchObject({
      level: "warning",
      what: "Galera: its cluster has 2 nodes, and the URL names 3",
    });
    expect(two3.get(three.endpoint)?.level).toBe("error");

    await two.kill();
    // Before it knows that it is alone it waits for the others, and that is said as well.
    const alone = await until("it has no quorum", async () => {
      const found = (await look()).get(one.endpoint);
      return found?.what.endsWith("sees no majority of its cluster") ? found : undefined;
    });
    expect(alone).toMatchObject({ level: "error", remedy: expect.any(String) });
  });
});
