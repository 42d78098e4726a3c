import type { Database } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { limits } from "@dsm/protocol";
import type { Db, Dialect, RawRow } from "../dialect.ts";
import { catalogError } from "../fault.ts";
import { assertMigrated, migrationsTable } from "../migrations.ts";
import * as tables from "../schema/sqlite.ts";
import type { SqliteTarget } from "../target.ts";
import { openSqlite } from "./sqlite-connection.ts";
import { explainSqlite } from "./sqlite-fault.ts";

/** @throws DsmError CATALOG_UNAVAILABLE, DATA_CORRUPT */
export async function openSqliteDialect(target: SqliteTarget): Promise<Dialect> {
  const { path, shown } = target;
  const fail = (thrown: unknown, doing: string) =>
    catalogError(thrown, doing, shown, explainSqlite);
  let database: Database | undefined;
  try {
    const busyTimeoutMs = limits.catalogBusyTimeoutMs;
    database = await openSqlite(path, { create: false, busyTimeoutMs });
    assertMigrated("sqlite", newestMigration(database), shown);
  } catch (error) {
    database?.close();
    throw fail(error, "open it");
  }
  return dialectOver(database, fail);
}

function dialectOver(database: Database, fail: (thrown: unknown, doing: string) => Error): Dialect {
  // Bun's SQLite is synchronous; awaiting its queries gives the same rows, so one type serves.
  const db = drizzle({ client: database }) as unknown as Db;

  async function read<T>(doing: string, work: () => PromiseLike<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fail(error, doing);
    }
  }

  return {
    name: "sqlite",
    db,
    tables,
    ifAbsent: () => "on conflict do nothing",
    read,
    write: (doing, statement) =>
      read(doing, async () => {
        const result = (await db.run(statement.getSQL())) as { changes: number };
        return result.changes;
      }),
    writeText: (doing, statement, params) =>
      read(doing, async () => database.run(statement, params as string[]).changes),
    prepare(statement) {
      const prepared = database.prepare<RawRow, string[]>(statement);
      return (doing, params) => read(doing, async () => prepared.values(...(params as string[])));
    },
    close: async () => database.close(),
  };
}

function newestMigration(database: Database): number | undefined {
  const row = database
    .query<{ newest: number | null }, []>(
      `SELECT max(created_at) AS newest FROM ${migrationsTable}`,
    )
    .get();
  return row?.newest ?? undefined;
}
