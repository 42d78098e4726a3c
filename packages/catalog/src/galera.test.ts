import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DsmError, limits } from "@dsm/protocol";
import { type Galera, galeraMissing, startGalera, until } from "@dsm/testkit";
import mysql from "mysql2/promise";
import type { VersionKey, VersionRow } from "./catalog.ts";
import { type Backend, put, uniqueName } from "./conformance/backend.ts";
import { CommitLoad } from "./conformance/commit-load.ts";
import { describeMigrations } from "./conformance/migrations.ts";
import { describeRaces } from "./conformance/races.ts";
import { describeTrash } from "./conformance/trash.ts";
import { type Catalog, migrateCatalog, openCatalog } from "./index.ts";

// Three servers start first, on a machine that may be busy.
setDefaultTimeout(60_000);

const missing = galeraMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(`catalog on Galera${why}`, () => {
  let galera: Galera;
  let shared: Promise<string> | undefined;
  let urls = 0;
  /** Where a migration was cut off; what takes it over waits a while, and the tests do not. */
  let cutOff: string;
  let migratedAnew: Promise<void>;
  beforeAll(async () => {
    galera = await startGalera();
    cutOff = await galera.createDatabase();
    await galera.node(0).query(
      `CREATE TABLE dsm_migrating (id tinyint NOT NULL PRIMARY KEY, owner char(36) NOT NULL,
        beat bigint unsigned NOT NULL)`,
      cutOff,
    );
    await galera.node(0).query("INSERT INTO dsm_migrating VALUES (1, 'killed', 7)", cutOff);
    migratedAnew = migrateCatalog(urlOf(cutOff));
  });
  afterAll(async () => {
    await migratedAnew;
    await galera[Symbol.asyncDispose]();
  });

  /** Each time another node is the first, as for processes that do not agree on the best one. */
  function urlOf(database: string): string {
    const at = urls++ % galera.nodes.length;
    return galera.url(database, [...galera.nodes.slice(at), ...galera.nodes.slice(0, at)]);
  }

  async function makeShared(): Promise<string> {
    const database = await galera.createDatabase();
    await migrateCatalog(galera.url(database));
    return database;
  }

  const backend: Backend = {
    name: "Galera",
    missing,
    emptyUrl: async () => urlOf(await galera.createDatabase()),
    sharedUrl: async () => urlOf(await (shared ??= makeShared())),
    query: (url, sql) => galera.node(0).query(sql, url.slice(url.lastIndexOf("/") + 1)),
  };
  describe("trash", () => describeTrash(backend));
  describe("races", () => describeRaces(backend));
  describe("migrations", () => describeMigrations(backend));

  test("what one node has acknowledged, another one that is late with it knows", async () => {
    const database = await shared;
    const [near, far] = galera.nodes.map((node) => galera.url(database ?? "", [node]));
    await using writer = await openCatalog(near ?? "");
    await using reader = await openCatalog(far ?? "");
    const user = uniqueName("ann");
    const look = () => Promise.all([reader.groupOf(user), reader.current(user, "a")]);
    // Prepared on every connection, for a server may treat what it prepares in another way.
    for (let n = 0; n < 3; n++) await Promise.all(Array.from({ length: 16 }, look));
    const pause = await mysql.createConnection(far ?? "");
    try {
      await pause.query("FLUSH TABLES WITH READ LOCK");
      await writer.assignGroup(user, "g1", 1);
      const kept = put({ user, fileId: "a" });
      await writer.commit([kept]);
      const seen = look();
      await until("both wait", async () => {
        const commands = await galera.node(1).query("SHOW PROCESSLIST");
        return commands.filter(({ Command }) => Command === "Execute").length === 2;
      });
      await pause.query("UNLOCK TABLES");
      expect(await seen).toEqual(["g1", { version: 1, file: kept.file }]);
    } finally {
      pause.destroy();
    }
  });

  test("a migration whose process was killed is taken over", async () => {
    await migratedAnew;
    await using catalog = await openCatalog(urlOf(cutOff));
    expect(await catalog.isEmpty()).toBe(true);
  });

  test("nodes that hang, die and come back lose nothing and do nothing twice", async () => {
    await migratedAnew;
    const database = await galera.createDatabase();
    await migrateCatalog(urlOf(database));
    {
      await using catalog = await openCatalog(urlOf(database));
      await catalog.assignGroup("ann", "g1", 1);
    }
    const load = new CommitLoad("ann", [urlOf(database), urlOf(database), urlOf(database)]);
    await goesOn(load);
    const [one, two, three] = [galera.node(0), galera.node(1), galera.node(2)];
    one.signal("SIGSTOP");
    await goesOn(load);
    one.signal("SIGCONT");
    await galera.settled();
    await two.kill();
    await goesOn(load);
    await two.start();
    await galera.settled();
    await three.stop();
    await three.eraseDisk();
    await three.start();
    await goesOn(load);
    await galera.settled();
    await load.stop();
    console.log(load.figures);
    expect(load.faults).toEqual([]);
    for (const node of galera.nodes) await expectAll(load, galera.url(database, [node]));
  });

  test("without a majority calls fail in time and at once then, and all goes on later", async () => {
    await migratedAnew;
    const database = await galera.createDatabase();
    await migrateCatalog(urlOf(database));
    await using catalog = await openCatalog(galera.url(database));
    await catalog.assignGroup("ann", "g1", 1);
    const [, two, three] = galera.nodes;
    await Promise.all([two?.kill(), three?.kill()]);
    const startedMs = performance.now();
    const first = put({ user: "ann", fileId: "a" });
    const error = await failureOf(catalog.commit([first]));
    expect(performance.now() - startedMs).toBeLessThan(commitMaxMs);
    expect(error).toMatchObject({ code: "CATALOG_UNAVAILABLE", retryable: true });
    await until("calls fail at once", async () => {
      const sentMs = performance.now();
      const { message } = await failureOf(catalog.commit([first]));
      return performance.now() - sentMs < 100 && message.includes("sees no majority");
    });
    await Promise.all([two?.start(), three?.start()]);
    await until("commits go on", () => catalog.commit([first]).catch(() => undefined), 60_000);
    expect(await catalog.current("ann", "a")).toEqual({ version: 1, file: first.file });
    expect(await catalog.usageOf("ann")).toMatchObject({ liveFiles: 1 });
    await galera.settled();
  });
});

/** A statement that hangs, and the time in which the others agree that somebody is lost. */
const commitMaxMs = limits.catalogQueryTimeoutMs + limits.catalogSwitchMs + 1_000;

async function failureOf(promise: Promise<unknown>): Promise<DsmError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DsmError)) throw new Error(`no DsmError but ${String(error)}`);
  return error;
}

async function goesOn(load: CommitLoad): Promise<void> {
  const before = load.figures.commits;
  const isGoing = () => load.figures.commits > before + 30 || load.faults.length > 0;
  await until("commits go on", isGoing, 40_000).catch((error: unknown) => {
    console.log(load.figures, load.faults);
    throw error;
  });
}

/** What was acknowledged is there, once, and nothing else but what others replaced. */
async function expectAll(load: CommitLoad, url: string): Promise<void> {
  expect(new Set(load.ids).size).toBe(load.ids.length);
  await using catalog = await openCatalog(url);
  const rows = await Array.fromAsync(versionsOf(catalog));
  const found = Map.groupBy(rows, (row) => row.fileId);
  for (const [fileId, kept] of load.kept) {
    const versions = found.get(fileId)?.map(({ version, id }) => ({ version, blobId: id }));
    expect(versions).toEqual(kept.toSorted((a, b) => a.version - b.version));
  }
  expect(rows).toHaveLength(load.figures.commits);
  expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  const usage = await catalog.usageOf(load.user);
  expect(usage).toMatchObject({
    liveFiles: load.kept.size,
    liveBytes: 10 * load.kept.size,
    trashBlobs: load.figures.commits - load.kept.size,
  });
}

async function* versionsOf(catalog: Catalog): AsyncGenerator<VersionRow> {
  let after: VersionKey | undefined;
  for (;;) {
    const limit = limits.listMax;
    const page = await catalog.versions({ limit, ...(after === undefined ? {} : { after }) });
    yield* page;
    if (page.length < limit) return;
    after = page.at(-1);
  }
}
