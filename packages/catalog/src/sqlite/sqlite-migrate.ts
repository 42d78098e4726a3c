import type { Database } from "bun:sqlite";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DsmError, limits, systemErrorCode } from "@dsm/protocol";
import { catalogError } from "../fault.ts";
import { bundledMigrations, migrationsTable, raiseUsableFrom } from "../migrations.ts";
import type { SqliteTarget } from "../target.ts";
import { openSqlite } from "./sqlite-connection.ts";
import { explainSqlite } from "./sqlite-fault.ts";

/** Makes the folder and the file where they are missing, and brings the tables up to date. */
export async function migrateSqlite(target: SqliteTarget): Promise<void> {
  await makeFolder(dirname(target.path), target.shown);
  try {
    const busyTimeoutMs = limits.catalogMigrateTimeoutMs;
    const database = await openSqlite(target.path, { create: true, busyTimeoutMs });
    try {
      database.transaction(applyMissing).immediate(database);
    } finally {
      database.close();
    }
  } catch (error) {
    throw catalogError(error, "migrate it", target.shown, explainSqlite);
  }
}

async function makeFolder(folder: string, shown: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    const why = systemErrorCode(cause) ?? String(cause);
    throw new DsmError(
      "DATA_NOT_WRITABLE",
      `catalog ${shown}: cannot make the folder ${folder}: ${why}`,
      { remedy: "check the path and the permissions of the folders above it", cause },
    );
  }
}

/**
 * Drizzle's migrator looks what is missing before it begins its transaction, so that two
 * processes at once would both apply the same migration. This does the same with the same table
 * inside one IMMEDIATE transaction, where only one writer can be.
 */
function applyMissing(database: Database): void {
  database.run(
    `CREATE TABLE IF NOT EXISTS ${migrationsTable}
     (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
  );
  const newest = database
    .query<{ ms: number | null }, []>(`SELECT max(created_at) AS ms FROM ${migrationsTable}`)
    .get();
  for (const migration of bundledMigrations("sqlite")) {
    if (migration.folderMillis <= (newest?.ms ?? 0)) continue;
    for (const statement of migration.sql) database.run(statement);
    database.run(`INSERT INTO ${migrationsTable} (hash, created_at) VALUES (?, ?)`, [
      migration.hash,
      migration.folderMillis,
    ]);
  }
  database.run(raiseUsableFrom("sqlite"));
}
