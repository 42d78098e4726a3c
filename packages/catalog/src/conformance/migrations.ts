import { expect, test } from "bun:test";
import { bundledMigrations, migrationsTable } from "../migrations.ts";
import { migrateCatalog, openCatalog } from "../index.ts";
import { type Backend, put } from "./backend.ts";
import { migrateTogether } from "./migrate-together.ts";

export function describeMigrations(backend: Backend): void {
  test("a catalog that is not migrated does not open, and says what to do", async () => {
    const url = await backend.emptyUrl();
    await expect(openCatalog(url)).rejects.toMatchObject({
      code: "CATALOG_UNAVAILABLE",
      remedy: expect.stringContaining("dsm catalog migrate"),
    });
  });

  test("four processes may migrate at the same moment", async () => {
    const url = await backend.emptyUrl();
    expect(await migrateTogether(4, [url])).toEqual([]);
    const applied = await backend.query(url, `SELECT hash FROM ${migrationsTable}`);
    const bundled = bundledMigrations(url.startsWith("sqlite:") ? "sqlite" : "mysql");
    expect(applied.map((row) => row["hash"])).toEqual(bundled.map(({ hash }) => hash));
    await using catalog = await openCatalog(url);
    expect(await catalog.commit([put({ user: "ann", fileId: "a" })])).toEqual(["in force"]);
  });

  test("migrating again keeps what is there", async () => {
    const url = await backend.emptyUrl();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    await catalog.assignGroup("ann", "g1", 1);
    await migrateCatalog(url);
    expect(await catalog.groupOf("ann")).toBe("g1");
  });

  test("what an older dsm wrote is counted when its catalog is migrated", async () => {
    const url = await backend.emptyUrl();
    const dialect = url.startsWith("sqlite:") ? "sqlite" : "mysql";
    // An empty file is an empty database.
    if (dialect === "sqlite") await Bun.write(url.slice("sqlite:".length), "");
    const [first] = bundledMigrations(dialect);
    if (first === undefined) throw new Error("there is a first migration");
    for (const statement of first.sql) await backend.query(url, statement);
    await backend.query(
      url,
      `CREATE TABLE ${migrationsTable} (id SERIAL PRIMARY KEY, hash VARCHAR(99), created_at BIGINT)`,
    );
    await backend.query(
      url,
      `INSERT INTO ${migrationsTable} VALUES (1, '${first.hash}', ${first.folderMillis})`,
    );
    await backend.query(url, "INSERT INTO users VALUES ('ann', 'g1', 7)");
    for (const row of [
      "'a', 1, '0000000000000001', 'g1', 0, 10, '', '', 1, NULL, NULL",
      "'a', 2, '0000000000000002', 'g1', 0, 20, '', '', 2, '0000000000000001', 'g1'",
      "'b', 1, '0000000000000003', 'g1', 0, 40, '', '', 3, NULL, NULL",
      "'b', 2, '0000000000000004', 'g1', 1, 0, '', '', 4, '0000000000000003', 'g1'",
      "'c', 3, '0000000000000005', 'g1', 1, 0, '', '', 5, '0000000000000009', NULL",
      "'d', 1, '0000000000000006', 'g1', 0, 80, '', '', 6, NULL, NULL",
    ]) {
      await backend.query(url, `INSERT INTO versions VALUES ('ann', ${row})`);
    }
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    const space = { liveFiles: 2, liveBytes: 100, trashBlobs: 2, trashBytes: 50 };
    expect(await catalog.usageOf("ann")).toEqual({ user: "ann", group: "g1", ...space });
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
    const row = { name: "ann", group: "g1", assignedAtMs: 7, updatedAtMs: 7 };
    expect(await catalog.users({ limit: 9 })).toEqual([row]);
  });

  /** What a newer dsm leaves whose last migration is of that time. */
  async function newerCatalog(usableFromMs: string): Promise<string> {
    const url = await backend.emptyUrl();
    await migrateCatalog(url);
    await backend.query(
      url,
      `INSERT INTO ${migrationsTable} (hash, created_at) VALUES ('x', 9999999999999)`,
    );
    await backend.query(
      url,
      `UPDATE id_segments SET next = ${usableFromMs} WHERE name = 'usable-from:'`,
    );
    return url;
  }

  test("a catalog of a newer dsm does not open when one without its tables is lost", async () => {
    const url = await newerCatalog("9999999999999");
    // What this version's own migration writes must not let it in.
    await migrateCatalog(url);
    await expect(openCatalog(url)).rejects.toMatchObject({
      code: "CATALOG_UNAVAILABLE",
      message: expect.stringContaining("of a newer dsm"),
      remedy: expect.stringContaining("newer dsm"),
    });
  });

  test("a catalog to which a newer dsm has only added opens", async () => {
    const url = await newerCatalog("next");
    await using catalog = await openCatalog(url);
    expect(await catalog.commit([put({ user: "ann", fileId: "a" })])).toEqual(["in force"]);
  });

  test("a migrated catalog is still empty", async () => {
    const url = await backend.emptyUrl();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    expect(await catalog.isEmpty()).toBe(true);
    await catalog.leaseSegment("blobs", 10);
    expect(await catalog.isEmpty()).toBe(false);
  });
}
