import { limits, systemErrorCode } from "@dsm/protocol";
import mysql, { type Pool, type PoolConnection } from "mysql2/promise";
import type { MySqlTarget } from "../target.ts";

/** What of mysql2's options a pool and the single connection of a migration share. */
export function connectionOptions(target: MySqlTarget) {
  const { host, port, user, password, database } = target;
  return {
    host,
    port,
    user,
    password,
    database,
    charset: "utf8mb4",
    supportBigNumbers: true,
    connectTimeout: limits.connectTimeoutMs,
    // Without FOUND_ROWS a row that was there already counts 0 and a new one 1.
    flags: ["-FOUND_ROWS"],
  };
}

/** A few prepared statements a connection: the hot reads, and room for more. */
const preparedStatementsMax = 32;

/** A pool whose every use is bounded in time, and whose connections all have the same settings. */
export class MySqlConnections {
  readonly #pool: Pool;
  readonly #prepared = new WeakSet<object>();

  constructor(target: MySqlTarget) {
    this.#pool = mysql.createPool({
      ...connectionOptions(target),
      connectionLimit: limits.catalogConnectionsMax,
      queueLimit: limits.catalogQueueMax,
      maxPreparedStatements: preparedStatementsMax,
      enableKeepAlive: true,
    });
  }

  /** For Drizzle, which only ever calls `query` on its client. */
  query(options: mysql.QueryOptions, params: unknown[]): Promise<unknown> {
    return this.#use((connection) => connection.query(options, params));
  }

  /** A writing statement. @returns how many rows it changed */
  async change(sql: string, params: unknown[]): Promise<number> {
    const [result] = await this.#use((connection) =>
      connection.query<mysql.ResultSetHeader>(sql, params),
    );
    return result.affectedRows;
  }

  /** A statement that the server prepares once for each connection. */
  async execute(sql: string, params: unknown[]): Promise<unknown[][]> {
    const [rows] = await this.#use((connection) =>
      connection.execute<mysql.RowDataPacket[][]>({ sql, rowsAsArray: true }, params as string[]),
    );
    return rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  /**
   * mysql2's own time-out leaves the connection waiting for an answer that may never come, so an
   * overdue connection is thrown away here.
   */
  async #use<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.getConnection();
    const overdue = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      overdue.reject(new OverdueError());
      connection.destroy();
    }, limits.catalogQueryTimeoutMs);
    try {
      return await Promise.race([
        this.#setUp(connection).then(() => work(connection)),
        overdue.promise,
      ]);
    } finally {
      clearTimeout(timer);
      connection.release();
    }
  }

  async #setUp(connection: PoolConnection): Promise<void> {
    if (this.#prepared.has(connection.connection)) return;
    // Gap locks would let uploads to neighbouring names wait for each other, and deadlock.
    await connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    // Without the strict mode MySQL cuts what is too long and goes on.
    await connection.query("SET SESSION sql_mode = 'TRADITIONAL'");
    await waitForGalera(connection);
    this.#prepared.add(connection.connection);
  }
}

/**
 * On a Galera cluster a read may come before what another node has acknowledged; this makes reads
 * wait for it. Other servers do not know the setting, or ignore it.
 */
async function waitForGalera(connection: PoolConnection): Promise<void> {
  try {
    await connection.query("SET SESSION wsrep_sync_wait = 1");
  } catch (error) {
    if (systemErrorCode(error) !== "ER_UNKNOWN_SYSTEM_VARIABLE") throw error;
  }
}

class OverdueError extends Error {
  readonly code = "PROTOCOL_SEQUENCE_TIMEOUT";

  constructor() {
    super(`no answer within ${limits.catalogQueryTimeoutMs} ms`);
    this.name = "OverdueError";
  }
}
