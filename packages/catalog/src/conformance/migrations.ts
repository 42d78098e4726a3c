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
    const bundled = bundledMigrations(new URL(url).protocol === "sqlite:" ? "sqlite" : "mysql");
    expect(applied.map((row) => row["hash"])).toEqual(bundled.map(({ hash }) => hash));
    await using catalog = await openCatalog(url);
    expect(await catalog.commit([put({ user: "ann", fileId: "a" })])).toEqual([true]);
  });

  test("migrating again keeps what is there", async () => {
    const url = await backend.emptyUrl();
    await migrateCatalog(url);
    await using catalog = await openCatalog(url);
    await catalog.assignGroup("ann", "g1", 1);
    await migrateCatalog(url);
    expect(await catalog.groupOf("ann")).toBe("g1");
  });

  test("a catalog of a newer dsm does not open", async () => {
    const url = await backend.emptyUrl();
    await migrateCatalog(url);
    await backend.query(
      url,
      `INSERT INTO ${migrationsTable} (hash, created_at) VALUES ('x', 9999999999999)`,
    );
    await expect(openCatalog(url)).rejects.toMatchObject({
      code: "CATALOG_UNAVAILABLE",
      remedy: expect.stringContaining("newer dsm"),
    });
  });
}
