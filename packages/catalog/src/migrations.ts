import { join } from "node:path";
import { DsmError } from "@dsm/protocol";
import { type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";
import { notMigrated } from "./fault.ts";

/** Where applied migrations are recorded, in the form of Drizzle's migrator. */
export const migrationsTable = "dsm_migrations";

/**
 * The newest migration, counted from 0, that a dsm without it cannot work with. Those behind it
 * only add: tables, indexes, and columns that may stay empty; and what an older dsm writes, which
 * knows nothing of them, means to the newer one what it meant before. So while a cluster is rolled
 * to a new version, processes of the old one run, restart and write on the migrated catalog.
 */
export const newestBreaking = 2;

export function migrationsFolder(dialect: "sqlite" | "mysql"): string {
  // In the single executable they lie beside the code: see bin/build.
  const parts = Bun.isStandaloneExecutable ? ["migrations"] : ["..", "migrations"];
  return join(import.meta.dir, ...parts, dialect);
}

export function bundledMigrations(dialect: "sqlite" | "mysql"): MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder: migrationsFolder(dialect) });
}

/**
 * A row among the marks (see queries/marks.ts) tells every dsm which migration it must have. It is
 * written by SQL of its own, since both sides of an upgrade read it before they know the tables.
 */
const usableFromMark = "usable-from:";

/** What a catalog says of its tables: one row, of two numbers or nulls. */
export const tablesQuery = `SELECT max(created_at),
  (SELECT next FROM id_segments WHERE name = '${usableFromMark}') FROM ${migrationsTable}`;

/** Raises the mark. To be run before a migration and after, so that no moment is without it. */
export function raiseUsableFrom(dialect: "sqlite" | "mysql"): string {
  const fromMs = bundledMigrations(dialect)[newestBreaking]?.folderMillis ?? 0;
  const otherwise = {
    sqlite: "ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
    mysql: "ON DUPLICATE KEY UPDATE next = GREATEST(next, VALUES(next))",
  }[dialect];
  return `INSERT INTO id_segments (name, next) VALUES ('${usableFromMark}', ${fromMs}) ${otherwise}`;
}

/**
 * @param row what `tablesQuery` found
 * @throws DsmError CATALOG_UNAVAILABLE when the tables are older than this dsm, or so much newer
 * that it cannot work with them
 */
export function assertMigrated(
  dialect: "sqlite" | "mysql",
  row: readonly unknown[] | undefined,
  shown: string,
): void {
  const [appliedMs, usableFromMs] = [Number(row?.[0] ?? 0), Number(row?.[1] ?? 0)];
  const newestMs = bundledMigrations(dialect).at(-1)?.folderMillis ?? 0;
  // Versions that left no mark had nothing to say of what is newer than they are.
  const mayDiffer = usableFromMs > 0 && usableFromMs <= newestMs;
  if (appliedMs === newestMs && usableFromMs <= newestMs) return;
  if (appliedMs > newestMs && mayDiffer) return;
  const newer = appliedMs >= newestMs;
  const why = newer ? "its tables are of a newer dsm than this one" : notMigrated.why;
  throw new DsmError(notMigrated.code, `catalog ${shown}: cannot open it: ${why}`, {
    remedy: newer ? "install the newer dsm here too" : notMigrated.remedy,
  });
}
