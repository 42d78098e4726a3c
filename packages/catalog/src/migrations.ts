import { join } from "node:path";
import { DsmError } from "@dsm/protocol";
import { type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";
import { notMigrated } from "./fault.ts";

/** Where applied migrations are recorded, in the form of Drizzle's migrator. */
export const migrationsTable = "dsm_migrations";

export function migrationsFolder(dialect: "sqlite" | "mysql"): string {
  return join(import.meta.dir, "..", "migrations", dialect);
}

export function bundledMigrations(dialect: "sqlite" | "mysql"): MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder: migrationsFolder(dialect) });
}

/**
 * @param appliedMs the time stamp of the newest migration that the database has, if any
 * @throws DsmError CATALOG_UNAVAILABLE when it is older than this dsm, or newer
 */
export function assertMigrated(
  dialect: "sqlite" | "mysql",
  appliedMs: number | undefined,
  shown: string,
): void {
  const newestMs = bundledMigrations(dialect).at(-1)?.folderMillis ?? 0;
  if (appliedMs === newestMs) return;
  const newer = appliedMs !== undefined && appliedMs > newestMs;
  const why = newer ? "its tables are of a newer dsm than this one" : notMigrated.why;
  throw new DsmError(notMigrated.code, `catalog ${shown}: cannot open it: ${why}`, {
    remedy: newer ? "install the newer dsm here too" : notMigrated.remedy,
  });
}
