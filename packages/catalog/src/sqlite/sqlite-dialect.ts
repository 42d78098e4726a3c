import type { Database, Statement } from "bun:sqlite";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { limits } from "@dsm/protocol";
import type { Db, Dialect } from "../dialect.ts";
import { catalogError, wasClosed } from "../fault.ts";
import { assertMigrated, tablesQuery } from "../migrations.ts";
import * as tables from "../schema/sqlite.ts";
import type { RawRow, Script, Step, StepResult } from "../script.ts";
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
    const [row] = database.query<unknown, []>(tablesQuery).values();
    assertMigrated("sqlite", row, shown);
  } catch (error) {
    database?.close();
    throw catalogError(error, "open it", shown, explainSqlite);
  }
  return dialectOver(database, target);
}

function dialectOver(database: Database, { path, shown }: SqliteTarget): Dialect {
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
    addUp: (table, keys, columns) =>
      `on conflict (${keys.join(", ")}) do update set ${columns
        .map((column) => `${column} = ${table}.${column} + excluded.${column}`)
        .join(", ")}`,
    // A transaction that writes holds the one lock of the file.
    locking: "",
    read,
    write: (doing, statement) =>
      read(doing, async () => {
        const result = (await db.run(statement.getSQL())) as { changes: number };
        return result.changes;
      }),
    atomic: (doing, script) => read(doing, async () => runAtomic(database, script)),
    async snapshot(doing, work) {
      const busyTimeoutMs = limits.catalogBusyTimeoutMs;
      const reader = await openSqlite(path, { create: false, busyTimeoutMs });
      const at = dialectOver(reader, { path, shown, dialect: "sqlite" });
      try {
        // In WAL mode the first read of a transaction fixes what all others see.
        await at.read(doing, async () => {
          reader.run("BEGIN");
          reader.query("SELECT count(*) FROM users").get();
        });
        return await work(at);
      } finally {
        await at.close();
      }
    },
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

/** Never awaits: nothing else of this process can come in between on the same connection. */
function runAtomic<T>(database: Database, script: Script<T>): T {
  database.run("BEGIN IMMEDIATE");
  try {
    const run = script();
    let turn = run.next();
    while (turn.done !== true) turn = run.next(runStep(database, turn.value));
    database.run("COMMIT");
    return turn.value;
  } catch (error) {
    // Some failures, as a full disk, have undone it already.
    if (database.inTransaction) database.run("ROLLBACK");
    throw error;
  }
}

function runStep(database: Database, { text, params, kind }: Step): StepResult {
  // Bun keeps the statements of the last texts prepared.
  const statement = database.query<unknown, string[]>(text);
  if (kind === "read") {
    return { rows: statement.values(...(params as string[])), changed: 0 };
  }
  return { rows: [], changed: statement.run(...(params as string[])).changes };
}
