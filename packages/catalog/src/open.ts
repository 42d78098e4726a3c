import type { Catalog } from "./catalog.ts";
import type { Dialect } from "./dialect.ts";
import { assertNotLoading, beginLoading, CatalogLoad } from "./loading.ts";
import { migrateCatalog } from "./migrate.ts";
import { openMySqlDialect } from "./mysql/mysql-dialect.ts";
import { SqlCatalog } from "./sql-catalog.ts";
import { openSqliteDialect } from "./sqlite/sqlite-dialect.ts";
import { type CatalogTarget, parseCatalogUrl } from "./target.ts";

/**
 * Opens a catalog whose tables are up to date: see `migrateCatalog`.
 *
 * @param url `sqlite:PATH` or `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (`mariadb://` too), with
 * commas between the addresses of several servers, of which the first that is well is used
 * @throws DsmError BAD_CONFIG for a wrong URL, user, password or database; CATALOG_UNAVAILABLE
 * when it does not answer, is not migrated or is being filled; DATA_CORRUPT for a file that is no
 * catalog
 */
export async function openCatalog(url: string): Promise<Catalog> {
  return openTarget(parseCatalogUrl(url));
}

/** As `openCatalog`. */
export async function openTarget(target: CatalogTarget): Promise<Catalog> {
  const dialect = await openDialect(target);
  return orClose(dialect, async () => {
    await assertNotLoading(dialect);
    return new SqlCatalog(dialect);
  });
}

/**
 * Makes or updates the tables of an empty catalog and opens it to be filled; nobody else can open
 * it until `finish`. Goes on with what an earlier try of the same job has begun.
 *
 * @param job of at most 50 characters, as "rebuild"
 * @throws DsmError CONFLICT when the catalog is not empty; as `migrateCatalog`
 */
export async function openCatalogToLoad(url: string, job: string): Promise<CatalogLoad> {
  await migrateCatalog(url);
  const dialect = await openDialect(parseCatalogUrl(url));
  return orClose(dialect, async () => {
    const catalog = new SqlCatalog(dialect);
    await beginLoading(dialect, catalog, job);
    return new CatalogLoad(dialect, catalog, job);
  });
}

function openDialect(target: CatalogTarget): Promise<Dialect> {
  return target.dialect === "sqlite" ? openSqliteDialect(target) : openMySqlDialect(target);
}

async function orClose<T>(dialect: Dialect, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await dialect.close();
    throw error;
  }
}
