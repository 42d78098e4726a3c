import type { Catalog } from "./catalog.ts";
import { openMySqlDialect } from "./mysql/mysql-dialect.ts";
import { SqlCatalog } from "./sql-catalog.ts";
import { openSqliteDialect } from "./sqlite/sqlite-dialect.ts";
import { parseCatalogUrl } from "./target.ts";

/**
 * Opens a catalog whose tables are up to date: see `migrateCatalog`.
 *
 * @param url `sqlite:PATH` or `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (`mariadb://` too)
 * @throws DsmError BAD_CONFIG for a wrong URL, user, password or database; CATALOG_UNAVAILABLE
 * when it does not answer or is not migrated; DATA_CORRUPT for a file that is no catalog
 */
export async function openCatalog(url: string): Promise<Catalog> {
  const target = parseCatalogUrl(url);
  const dialect =
    target.dialect === "sqlite" ? await openSqliteDialect(target) : await openMySqlDialect(target);
  return new SqlCatalog(dialect);
}
