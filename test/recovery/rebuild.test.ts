import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, openCatalog } from "@dsm/catalog";
import { mariaDbMissing, startMariaDb, tempDir, until } from "@dsm/testkit";
import { DsmProcesses } from "../processes/dsm-processes.ts";
import { comparable, rowsOf } from "./comparable.ts";
import { makeHistory, Random } from "./random-history.ts";
import { settleJournals } from "./settled-journals.ts";

const env = { DSM_TRASH_GRACE: "4s", DSM_REAP_INTERVAL: "100ms" };
const rounds = 4;
const operationsPerRound = 150;
/** Their blobs are in the trash still when all ends. */
const operationsAtLast = 40;

interface Rig {
  /** Of the cluster that loses its catalog. */
  readonly catalogUrl?: string;
  /** An empty one, for the rebuild. */
  readonly rebuiltUrl: (folder: string) => Promise<string>;
  /** In the middle of a round. */
  readonly disturb?: () => Promise<void>;
}

async function rebuildAfterHistory(seed: number, rig: Rig): Promise<void> {
  const random = new Random(seed);
  await using dir = await tempDir();
  await using cluster = await DsmProcesses.start({
    delivery: "proxy",
    env,
    ...(rig.catalogUrl === undefined ? {} : { catalogUrl: rig.catalogUrl }),
  });
  const catalogUrl = rig.catalogUrl ?? `sqlite:${join(cluster.dataDir, "catalog.db")}`;
  await using catalog = await openCatalog(catalogUrl);
  for (let round = 0; round < rounds; round++) {
    const victim = random.pick(cluster.storages);
    const tally = await makeHistory(cluster, random, operationsPerRound, async () => {
      await victim.kill();
      await rig.disturb?.();
      await victim.start();
    });
    const done = Object.values(tally.done).reduce((sum, n) => sum + n, 0);
    expect(done).toBeGreaterThan(operationsPerRound / 4);
    await catalog.setQuota(random.pick(["ann", "bob"]), 10_000 + random.below(10_000), Date.now());
  }
  await until("something was reaped", async () => {
    const { versions } = await rowsOf(catalog);
    return versions.some((row) => row.replaces !== undefined && row.trashGroup === undefined);
  });
  // Each storage journals the users at its start, and ends what is under way at its end.
  for (const storage of cluster.storages) {
    await storage.kill();
    await storage.start();
  }
  await makeHistory(cluster, random, operationsAtLast, async () => {});
  for (const role of [...cluster.storages, ...cluster.ids, ...cluster.trackers]) {
    await role.terminate();
  }
  await settleJournals(cluster.groupRoot(), catalog);
  const rebuiltUrl = await rig.rebuiltUrl(dir.path);
  const args = ["catalog", "rebuild", "--catalog", rebuiltUrl, "--verify", "--json"];
  const ran = await cluster.run(...args, "--root", `g1=${cluster.groupRoot()}`);
  const lines = ran.stdout.split("\n").filter(Boolean);
  const said = lines.map((line) => JSON.parse(line) as { finding?: { kind: string } });
  const kinds = said.flatMap(({ finding }) => finding?.kind ?? []);
  // A kill in the middle of an upload leaves bytes that nobody can tell from a lost record's.
  const isCutOff = kinds.length > 0;
  expect(kinds).toEqual(isCutOff ? ["cut off or no record"] : []);
  expect([ran.stderr, ran.code, said.length]).toEqual(["", isCutOff ? 1 : 0, kinds.length + 1]);
  await using rebuilt = await openCatalog(rebuiltUrl);
  await expectEqual(rebuilt, catalog);
  expect(await rebuilt.checkUsage({ repair: false })).toEqual([]);
}

async function expectEqual(rebuilt: Catalog, lost: Catalog): Promise<void> {
  const [after, before] = [await rowsOf(rebuilt), await rowsOf(lost)];
  const [got, wanted] = [comparable(after), comparable(before)];
  expect(got.users).toEqual(wanted.users);
  expect(got.versions).toEqual(wanted.versions);
  expect(got.usage).toEqual(wanted.usage);
  // The history had something of everything: blobs in the trash, blobs that were reaped.
  const replacing = before.versions.filter((row) => row.replaces !== undefined);
  const trashed = replacing.filter((row) => row.trashGroup !== undefined);
  expect(trashed.length).toBeGreaterThan(0);
  expect(trashed.length).toBeLessThan(replacing.length);
  expect(after.nextIds["blob"]).toBeGreaterThan(before.nextIds["blob"] ?? Infinity);
}

const sqliteIn = async (folder: string) => `sqlite:${join(folder, "rebuilt.db")}`;
const missing = mariaDbMissing();
const seeds = [1, 20_261_123];

describe("a rebuild of the catalog equals the lost one row by row", () => {
  for (const seed of seeds) {
    test(`SQLite, storages killed in the middle, seed ${seed}`, async () => {
      await rebuildAfterHistory(seed, { rebuiltUrl: sqliteIn });
    });
  }

  test.skipIf(missing !== undefined)(
    `MariaDB, which is killed in the middle too${missing === undefined ? "" : ` (${missing})`}`,
    async () => {
      await using server = await startMariaDb();
      await rebuildAfterHistory(3, {
        catalogUrl: await server.createDatabase(),
        rebuiltUrl: () => server.createDatabase(),
        disturb: async () => {
          await server.kill();
          await server.start();
        },
      });
    },
  );
});
