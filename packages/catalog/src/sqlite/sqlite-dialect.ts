import type { Database, Statement } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { limits } from "@dsm/protocol";
import type { Db, Dialect, RawRow } from "../dialect.ts";
import { catalogError, wasClosed } from "../fault.ts";
import { assertMigrated, migrationsTable } from "../migrations.ts";
import * as tables from "../schema/sqlite.ts";
import type { SqliteTarget } from "../target.ts";
import { openSqlite } from "./sqlite-connection.ts";
import { explainSqlite } from "./sqlite-fault.ts";

/** @throws DsmError CATALOG_UNAVAILABLE, DATA_CORRUPT */
export async function openSqliteDialect(target: SqliteTarget): Promise<Dialect> {
  const { path, shown } = target;
  let database: Database | undefined;
  try {
    const busyTimeoutMs = limits.catalogBusyTimeoutMs;
    database = await openSqlite(path, { create: false, busyTimeoutMs });
    assertMigrated("sqlite", newestMigration(database), shown);
  } catch (error) {
    database?.close();
    throw catalogError(error, "open it", shown, explainSqlite);
  }
  return dialectOver(database, shown);
}

function dialectOver(database: Database, shown: string): Dialect {
  // Bun's SQLite is synchronous; awaiting its queries gives the same rows, so one type serves.
  const db = drizzle({ client: database }) as unknown as Db;
  const prepared: Statement<RawRow, string[]>[] = [];
  let closed = false;

  async function read<T>(doing: string, work: () => PromiseLike<T>): Promise<T> {
    if (closed) throw wasClosed(doing, shown);
    try {
      return await work();
    } catch (error) {
      throw catalogError(error, doing, shown, explainSqlite);
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
    prepare(text) {
      const statement = database.prepare<RawRow, string[]>(text);
      prepared.push(statement);
      return (doing, params) => read(doing, async () => statement.values(...(params as string[])));
    },
    async close() {
      closed = true;
      // SQLite keeps the file open as long as one statement is.
      for (const statement of prepared) statement.finalize();
      database.close();
    },
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
