import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DsmError, limits } from "@dsm/protocol";
import { type MariaDb, mariaDbMissing, sharedMariaDb, startMariaDb, until } from "@dsm/testkit";
import mysql from "mysql2/promise";
import { nextId, put } from "./conformance/backend.ts";
import { startProxy } from "./conformance/proxy.ts";
import { type Catalog, migrateCatalog, openCatalog } from "./index.ts";

// The first test also installs and starts a server, on a machine that may be busy.
setDefaultTimeout(60_000);

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

async function failureOf(promise: Promise<unknown>): Promise<DsmError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DsmError)) throw new Error(`no DsmError but ${String(error)}`);
  return error;
}

async function waitsForLock(server: MariaDb): Promise<void> {
  await until("a commit waits for a lock", async () => {
    // Not information_schema.innodb_trx: it stays as it is when it is read too often.
    const [row] = await server.query("SHOW STATUS LIKE 'Innodb_row_lock_current_waits'");
    return row?.["Value"] !== "0";
  });
}

/** All that a log could print of an error and of what caused it. */
function everythingOf(error: unknown): string {
  return Bun.inspect(error, { depth: 10 }) + (error instanceof Error ? error.stack : "");
}

async function expectUnavailable(server: MariaDb, catalog: Catalog): Promise<void> {
  const file = { user: "ann", fileId: "down" };
  const tries = [
    catalog.ping(),
    catalog.groupOf("ann"),
    catalog.current("ann", "a"),
    catalog.list({ nowMs: 1, user: "ann", limit: 1 }),
    catalog.commit([put(file)]),
    catalog.leaseSegment("ids", 1),
    openCatalog(server.url("dsm_test_1")),
  ];
  for (const error of await Promise.all(tries.map(failureOf))) {
    expect({ code: error.code, retryable: error.retryable }).toEqual({
      code: "CATALOG_UNAVAILABLE",
      retryable: true,
    });
    expect(error.message).toContain(`127.0.0.1:${server.port}/dsm_test_1`);
    expect(error.remedy).toBeString();
    expect(everythingOf(error)).not.toContain("p:w/");
    expect(everythingOf(error)).not.toContain("p%3Aw");
  }
}

describe.skipIf(missing !== undefined)(`MariaDB that fails${why}`, () => {
  let server: MariaDb;
  beforeAll(async () => {
    server = await startMariaDb();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("after a crash all works again by itself, with what was committed", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    const kept = put({ user: "ann", fileId: "a" });
    await catalog.commit([kept]);
    // Several connections, so that the pool is full of dead ones afterwards.
    await Promise.all(Array.from({ length: 20 }, () => catalog.current("ann", "a")));

    await server.kill();
    await expectUnavailable(server, catalog);
    await server.start();
    expect(await catalog.current("ann", "a")).toEqual({ version: 1, file: kept.file });

    // In order this time, and nobody asks while it is down.
    await server.stop();
    await server.start();
    expect(await catalog.commit([put({ user: "ann", fileId: "b" })])).toEqual(["in force"]);
  });

  test("a network that swallows everything fails calls in time, and is got over", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    using proxy = startProxy(server.port);
    await using catalog = await openCatalog(url.replace(`:${server.port}/`, `:${proxy.port}/`));
    await catalog.ping();
    proxy.swallow();
    const startedMs = performance.now();
    // More than there are connections: the others give up in the line.
    const calls = Array.from({ length: 3 * limits.catalogConnectionsMax }, () =>
      failureOf(catalog.ping()),
    );
    const codes = new Set((await Promise.all(calls)).map((error) => error.code));
    const tookMs = performance.now() - startedMs;
    expect([...codes]).toEqual(["CATALOG_UNAVAILABLE"]);
    const { catalogQueueTimeoutMs, catalogQueryTimeoutMs, connectTimeoutMs } = limits;
    expect(tookMs).toBeLessThan(catalogQueueTimeoutMs + catalogQueryTimeoutMs + connectTimeoutMs);
    // What was swallowed stays so; only new connections get through.
    proxy.heal();
    await catalog.ping();
  });

  test("connections that a firewall forgot are replaced without anybody noticing", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    using proxy = startProxy(server.port);
    await using catalog = await openCatalog(url.replace(`:${server.port}/`, `:${proxy.port}/`));
    await Promise.all(Array.from({ length: 20 }, () => catalog.groupOf("ann")));
    proxy.forget();
    expect(await catalog.assignGroup("ann", "g1", 1)).toBe("g1");
  });

  test("a backup does not wait for ever, and takes no connection from anybody", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    using proxy = startProxy(server.port);
    await using catalog = await openCatalog(url.replace(`:${server.port}/`, `:${proxy.port}/`));
    const overdue = await catalog.snapshot(async (at) => {
      const others = Array.from({ length: 2 * limits.catalogConnectionsMax }, () => catalog.ping());
      await Promise.all(others);
      proxy.swallow();
      return failureOf(at.versions({ limit: 1 }));
    });
    expect(overdue).toMatchObject({ code: "CATALOG_UNAVAILABLE", retryable: true });
  });

  test("a try that ends late is in force, and counted once", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    for (const user of ["ann", "bob"]) await catalog.assignGroup(user, "g1", 1);
    await catalog.setQuota("ann", 5, 2);
    const late = put({ user: "bob", fileId: "a", sizeBytes: 10 });
    const early = await mysql.createConnection(url);
    try {
      // What the first try, of which nobody knows, has done when its answer is given up.
      await early.query("BEGIN");
      await early.query(
        `INSERT INTO versions VALUES ('bob', 'a', 1, ?, 'g1', 0, 10, '', '', 1, NULL, NULL, NULL, NULL, NULL)`,
        [late.file.blobId],
      );
      await early.query("INSERT INTO user_usage VALUES ('bob', 'g1', 1, 10, 0, 0, NULL)");
      // A change that needs the closer look goes with the second one.
      const again = catalog.commit([put({ user: "ann", fileId: "a", sizeBytes: 10 }), late]);
      await waitsForLock(server);
      await early.query("COMMIT");
      expect(await again).toEqual(["over quota", "in force"]);
    } finally {
      await early.end();
    }
    expect(await catalog.usageOf("bob")).toMatchObject({ liveFiles: 1, liveBytes: 10 });
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("a commit that somebody kills on the server is sent again, once", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    const kept = put({ user: "ann", fileId: "a", sizeBytes: 10 });
    await catalog.commit([kept]);
    const other = await mysql.createConnection(url);
    const lockWaits = async () => {
      const [row] = await server.query("SHOW STATUS LIKE 'Innodb_row_lock_waits'");
      return Number(row?.["Value"]);
    };
    let waits = await lockWaits();
    const killWaiting = async (what: "QUERY" | "CONNECTION") => {
      // Not the one that was killed before, and is about to end.
      await until("a commit waits", async () => (await lockWaits()) > waits);
      waits = await lockWaits();
      const waiting = await until("it is found", async () => {
        const list = await server.query("SHOW PROCESSLIST");
        return list.find(({ Info }) => /^\s*insert into/i.test(String(Info)))?.["Id"];
      });
      await server.query(`KILL ${what} ${String(waiting)}`);
    };
    try {
      await other.query("BEGIN");
      await other.query("SELECT * FROM user_usage FOR UPDATE");
      const committed = catalog.commit([put({ user: "ann", fileId: "b", sizeBytes: 10 })]);
      await killWaiting("QUERY");
      await killWaiting("CONNECTION");
      await other.query("COMMIT");
      expect(await committed).toEqual(["in force"]);

      await other.query("BEGIN");
      await other.query("SELECT * FROM user_usage FOR UPDATE");
      const refused = failureOf(catalog.commit([put({ user: "ann", fileId: "c" })]));
      for (let n = 0; n < 2; n++) await killWaiting("QUERY");
      const error = await refused;
      expect(error).toMatchObject({ code: "CATALOG_UNAVAILABLE", retryable: true });
      expect(error.message).toContain("broke the statement off");
    } finally {
      await other.end();
    }
    expect(await catalog.usageOf("ann")).toBeUndefined();
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("a commit that loses a deadlock is sent again", async () => {
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    const other = await mysql.createConnection(url);
    try {
      const insert = (fileId: string) =>
        other.query(
          `INSERT INTO versions VALUES ('ann', ?, 1, ?, 'g1', 0, 1, '', '', 1, NULL, NULL, NULL, NULL, NULL)`,
          [fileId, nextId()],
        );
      await other.query("BEGIN");
      // InnoDB breaks off whoever changed fewer rows.
      for (const fileId of ["b", "c", "d", "e", "f"]) await insert(fileId);
      const files = ["a", "b", "z"].map((fileId) => put({ user: "ann", fileId }));
      const committed = catalog.commit(files);
      await waitsForLock(server);
      await insert("a");
      await other.query("COMMIT");
      expect(await committed).toEqual(["superseded", "superseded", "in force"]);
    } finally {
      await other.end();
    }
  });
});

describe.skipIf(missing !== undefined)(`MariaDB that refuses${why}`, () => {
  test("a wrong password and a missing database are the configuration's fault", async () => {
    const server = await sharedMariaDb();
    const url = await server.createDatabase();
    const wrongPassword = url.replace(/:[^:/]+@/, ":wrong-secret@");
    for (const act of [openCatalog, migrateCatalog]) {
      const denied = await failureOf(act(wrongPassword));
      expect(denied.code).toBe("BAD_CONFIG");
      expect(everythingOf(denied)).not.toContain("wrong-secret");
      const noDatabase = await failureOf(act(`${url}_missing`));
      expect(noDatabase.code).toBe("BAD_CONFIG");
      expect(noDatabase.remedy).toContain("CREATE DATABASE");
    }
  });

  test("tables that were dropped under an open catalog are reported as such", async () => {
    const server = await sharedMariaDb();
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    await server.query("DROP TABLE versions", new URL(url).pathname.slice(1));
    const error = await failureOf(catalog.list({ nowMs: 1, user: "ann", limit: 1 }));
    expect(error).toMatchObject({ code: "CATALOG_UNAVAILABLE" });
    expect(error.remedy).toContain("dsm catalog migrate");
    expect(error.message).not.toContain("select");
  });

  test("a migration that was cut off in the middle can be run again", async () => {
    const server = await sharedMariaDb();
    const url = await server.createDatabase();
    const database = new URL(url).pathname.slice(1);
    await migrateCatalog(url);
    await server.query("DROP TABLE dsm_migrations", database);
    await server.query("DROP TABLE users", database);
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    expect(await catalog.assignGroup("ann", "g1", 1)).toBe("g1");
    const indexes = await server.query("SHOW INDEX FROM versions", database);
    expect([...new Set(indexes.map((row) => row["Key_name"]))].toSorted()).toEqual([
      "PRIMARY",
      "versions_damage",
      "versions_expiry",
      "versions_id_unique",
      "versions_trash",
    ]);
  });

  test("what is too long for a column is refused, not cut", async () => {
    const server = await sharedMariaDb();
    const url = await server.createDatabase();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    const fileId = "x".repeat(limits.fileIdMaxBytes + 1);
    expect((await failureOf(catalog.commit([put({ user: "ann", fileId })]))).code).toBe("INTERNAL");
    expect(await catalog.list({ nowMs: 1, user: "ann", limit: 1 })).toEqual({ files: [] });
  });
});
