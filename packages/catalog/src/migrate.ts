import { migrateMySql } from "./mysql/mysql-migrate.ts";
import { migrateSqlite } from "./sqlite/sqlite-migrate.ts";
import { parseCatalogUrl } from "./target.ts";

/**
 * Makes or updates the tables of a catalog. Safe to call from several processes at once, and to
 * call again after it was cut off. Makes the folder and file of SQLite; a MySQL database must
 * exist.
 *
 * @throws DsmError BAD_CONFIG, CATALOG_UNAVAILABLE, DATA_CORRUPT as `openCatalog`;
 * DATA_NOT_WRITABLE when the folder cannot be made
 */
export async function migrateCatalog(url: string): Promise<void> {
  const target = parseCatalogUrl(url);
  await (target.dialect === "sqlite" ? migrateSqlite(target) : migrateMySql(target));
}
