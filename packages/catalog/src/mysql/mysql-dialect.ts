import { limits } from "@dsm/protocol";
import { drizzle, type MySqlRawQueryResult } from "drizzle-orm/mysql2";
import type { Pool } from "mysql2/promise";
import type { Db, Dialect } from "../dialect.ts";
import { catalogError, driverError, wasClosed } from "../fault.ts";
import { Gate } from "../gate.ts";
import { assertMigrated, migrationsTable } from "../migrations.ts";
import * as tables from "../schema/mysql.ts";
import type { MySqlTarget } from "../target.ts";
import { MySqlConnections } from "./mysql-connections.ts";
import { explainMySql } from "./mysql-fault.ts";

/** @throws DsmError CATALOG_UNAVAILABLE, BAD_CONFIG */
export async function openMySqlDialect(target: MySqlTarget): Promise<Dialect> {
  const connections = new MySqlConnections(target);
  const dialect = dialectOver(connections, target.shown);
  try {
    const query = dialect.prepare(`SELECT max(created_at) FROM ${migrationsTable}`);
    const newest = (await query("open it", []))[0]?.[0] ?? undefined;
    assertMigrated("mysql", newest === undefined ? undefined : Number(newest), target.shown);
    return dialect;
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** What a dialect needs of a pool, or of the one connection of a snapshot. */
type Connections = Pick<
  MySqlConnections,
  "query" | "execute" | "transaction" | "snapshot" | "close"
>;

function dialectOver(connections: Connections, shown: string): Dialect {
  // Drizzle calls nothing but `query` on its client, and the kits make the types of SQLite true.
  const mysqlDb = drizzle({ client: connections as unknown as Pool });
  const gate = new Gate({
    runningMax: limits.catalogConnectionsMax,
    waitingMax: limits.catalogQueueMax,
    waitTimeoutMs: limits.catalogQueueTimeoutMs,
  });

  let closed = false;

  async function read<T>(doing: string, work: () => PromiseLike<T>): Promise<T> {
    if (closed) throw wasClosed(doing, shown);
    try {
      return await gate.pass(() => withRetries(work));
    } catch (error) {
      throw catalogError(error, doing, shown, explainMySql);
    }
  }

  return {
    name: "mysql",
    db: mysqlDb as unknown as Db,
    tables,
    ifAbsent: (column) => `on duplicate key update ${column} = ${column}`,
    addUp: (table, _keys, columns) =>
      `on duplicate key update ${columns
        .map((column) => `${column} = ${table}.${column} + values(${column})`)
        .join(", ")}`,
    locking: " for update",
    read,
    write: (doing, statement) =>
      read(doing, async () => {
        const result: MySqlRawQueryResult = await mysqlDb.execute(statement.getSQL());
        return result[0].affectedRows;
      }),
    atomic: (doing, script) => read(doing, () => connections.transaction(script)),
    async snapshot(doing, work) {
      const at = await read(doing, () => connections.snapshot());
      const dialect = dialectOver(at, shown);
      try {
        return await work(dialect);
      } finally {
        await dialect.close();
      }
    },
    prepare: (statement) => (doing, params) =>
      read(doing, () => connections.execute(statement, params)),
    async close() {
      closed = true;
      await gate.idle();
      await connections.close();
    },
  };
}

const deadlockPauseMs = 5;

/**
 * Every statement of the catalog may be sent twice. A deadlock is InnoDB's way to say "you go
 * later", and a connection that the server closed while it was idle says nothing of the next one.
 */
async function withRetries<T>(work: () => PromiseLike<T>): Promise<T> {
  // All connections of the pool may have gone stale together.
  let staleLeft = limits.catalogConnectionsMax;
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const again = explainMySql(driverError(error))?.again;
      if (again === undefined || tries >= limits.catalogRetryMax) throw error;
      if (again === "stale connection" && staleLeft-- === 0) throw error;
    }
    await Bun.sleep(Math.random() * deadlockPauseMs);
  }
}
