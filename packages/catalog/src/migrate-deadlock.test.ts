import { describe, expect, test } from "bun:test";
import { mariaDbMissing, sharedMariaDb, until } from "@dsm/testkit";
import mysql from "mysql2/promise";
import { put } from "./conformance/backend.ts";
import { migrateCatalog, openCatalog } from "./index.ts";
import { bundledMigrations, migrationsTable } from "./migrations.ts";

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(`a catalog in use${why}`, () => {
  test("a migration that loses a deadlock against a write is run again", async () => {
    const server = await sharedMariaDb();
    const url = await server.createDatabase();
    const database = new URL(url).pathname.slice(1);
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    for (const user of ["ann", "bob"]) {
      await catalog.assignGroup(user, "g1", 1);
      expect(await catalog.commit([put({ user, fileId: "a" })])).toEqual(["in force"]);
    }
    // As it was before 0002, whose UPDATE locks every row of user_usage, first that of ann.
    const lastMs = bundledMigrations("mysql")[1]?.folderMillis;
    await server.query(`DELETE FROM ${migrationsTable} WHERE created_at > ${lastMs}`, database);

    const { hostname, port, username, password } = new URL(url);
    const account = { user: username, password: decodeURIComponent(password) };
    const writer = await mysql.createConnection({
      host: hostname,
      port: Number(port),
      database,
      ...account,
    });
    try {
      await writer.query("BEGIN");
      await writer.query("UPDATE user_usage SET live_bytes = 8 WHERE user_name = 'bob'");
      // Of two that wait for each other the server ends the one that has written less.
      const others = Array.from({ length: 300 }, (_, n) => `('u${n}', 'g1', 1)`).join();
      await writer.query(`INSERT INTO users (name, group_name, assigned_at_ms) VALUES ${others}`);
      const migrated = migrateCatalog(url);
      await until("the migration waits for the writer", async () => {
        // InnoDB answers from a copy until nobody has asked for 100 ms.
        await Bun.sleep(150);
        const waiting = await server.query(
          "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        );
        return waiting.length > 0;
      });
      await writer.query("UPDATE user_usage SET live_bytes = 9 WHERE user_name = 'ann'");
      await writer.query("COMMIT");
      await migrated;
    } finally {
      await writer.end();
    }
    await using after = await openCatalog(url);
    expect(await after.usageOf("ann")).toMatchObject({ liveBytes: 9 });
    expect(await after.usageOf("bob")).toMatchObject({ liveBytes: 8 });
  });
});
