import { limits } from "@dsm/protocol";
import { drizzle, type MySqlRawQueryResult } from "drizzle-orm/mysql2";
import type { Pool } from "mysql2/promise";
import type { Db, Dialect } from "../dialect.ts";
import { catalogError, driverError, wasClosed } from "../fault.ts";
import { Gate } from "../gate.ts";
import { assertMigrated, tablesQuery } from "../migrations.ts";
import * as tables from "../schema/mysql.ts";
import type { MySqlTarget } from "../target.ts";
import { MySqlConnections } from "./mysql-connections.ts";
import { explainLockFree, explainMySql } from "./mysql-fault.ts";
import { MySqlNodes } from "./mysql-nodes.ts";

/** @throws DsmError CATALOG_UNAVAILABLE, BAD_CONFIG */
export async function openMySqlDialect(target: MySqlTarget): Promise<Dialect> {
  const [only, ...others] = target.servers;
  const connections =
    others.length === 0 ? new MySqlConnections(target, only) : await MySqlNodes.open(target);
  const dialect = dialectOver(connections, target.shown);
  try {
    const [row] = await dialect.prepare(tablesQuery)("open it", []);
    assertMigrated("mysql", row, target.shown);
    return dialect;
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** What a dialect needs of one server, of several, or of the one connection of a snapshot. */
type Connections = Pick<MySqlNodes, "query" | "execute" | "transaction" | "snapshot" | "close">;

function dialectOver(connections: Connections, shown: string): Dialect {
  // Drizzle calls nothing but `query` on its client, and the kits make the types of SQLite true.
  const mysqlDb = drizzle({ client: connections as unknown as Pool });
  const gate = new Gate({
    runningMax: limits.catalogConnectionsMax,
    waitingMax: limits.catalogQueueMax,
    waitTimeoutMs: limits.catalogQueueTimeoutMs,
  });

  let closed = false;

  async function read<T>(
    doing: string,
    work: () => PromiseLike<T>,
    explain = explainMySql,
  ): Promise<T> {
    if (closed) throw wasClosed(doing, shown);
    try {
      return await gate.pass(() => withRetries(work));
    } catch (error) {
      throw catalogError(error, doing, shown, explain);
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
    prepare: (statement) => (doing, params, options) =>
      read(doing, () => connections.execute(statement, params, options), explainLockFree),
    async close() {
      closed = true;
      await gate.idle();
      await connections.close();
    },
  };
}

const deadlockPauseMs = 5;

/**
 * Every statement and every transaction of the catalog may be sent twice, also when a COMMIT went
 * without an answer: what it wrote is found by its id then, and nothing is counted again. A
 * deadlock is InnoDB's or Galera's way to say "you go later", and a connection that the server
 * closed while it was idle says nothing of the next one.
 */
async function withRetries<T>(work: () => PromiseLike<T>): Promise<T> {
  const deadlineMs = performance.now() + limits.catalogRetryForMs;
  // All connections of the pool may have gone stale together.
  const left = {
    deadlock: limits.catalogRetryMax - 1,
    "stale connection": limits.catalogConnectionsMax,
    once: 1,
  };
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const again = explainMySql(driverError(error))?.again;
      if (again === undefined || left[again]-- === 0) throw error;
      if (performance.now() > deadlineMs) throw error;
    }
    await Bun.sleep(Math.random() * deadlockPauseMs);
  }
}
