import { limits, systemErrorCode } from "@dsm/protocol";
import mysql, { type Connection, type Pool, type PoolConnection } from "mysql2/promise";
import type { Script, Step, StepResult } from "../script.ts";
import type { MySqlServer, MySqlTarget } from "../target.ts";

/** What of mysql2's options a pool and the single connection of a migration share. */
export function connectionOptions(
  { user, password, database }: MySqlTarget,
  { host, port }: MySqlServer,
) {
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

/**
 * A pool of connections to one server: every use is bounded in time, and all connections have the
 * same settings.
 */
export class MySqlConnections {
  readonly #options: ReturnType<typeof connectionOptions>;
  readonly #pool: Pool;
  readonly #prepared = new WeakSet<object>();
  readonly #uses = new Set<Use>();

  constructor(target: MySqlTarget, server: MySqlServer) {
    this.#options = connectionOptions(target, server);
    this.#pool = mysql.createPool({
      ...this.#options,
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

  /** Runs a script in one transaction; what it throws undoes all of it. */
  transaction<T>(script: Script<T>): Promise<T> {
    return this.#use(async (connection) => {
      await connection.query("START TRANSACTION");
      try {
        const run = script();
        let turn = run.next();
        while (turn.done !== true) turn = run.next(await runStep(connection, turn.value));
        await connection.query("COMMIT");
        return turn.value;
      } catch (error) {
        // On a connection that is broken the server does the same by itself.
        await connection.query("ROLLBACK").catch(() => undefined);
        throw error;
      }
    });
  }

  /** A connection of its own that sees everything as it is now, until it is closed. */
  async snapshot(): Promise<SnapshotConnection> {
    const connection = await mysql.createConnection(this.#options);
    // What happens to it between two statements is told by the next one.
    connection.on("error", () => {});
    try {
      await inTime(connection, async () => {
        await waitForGalera(connection);
        await connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        await connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
      });
      return new SnapshotConnection(connection);
    } catch (error) {
      connection.destroy();
      throw error;
    }
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
   * Ends what is under way at once, as a lost connection does, and all connections with it: for a
   * server that has fallen silent, which would let everybody wait for their time-outs.
   */
  abandon(): void {
    for (const use of this.#uses) {
      use.fail(new AbandonedError());
      use.connection?.destroy();
    }
    // Those that are idle say goodbye, and nobody waits for an answer to that.
    void this.#pool.end().catch(() => undefined);
  }

  async #use<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    const use: Use = { fail, connection: undefined, timer: undefined };
    this.#uses.add(use);
    try {
      return await Promise.race([this.#run(use, work), failed]);
    } finally {
      clearTimeout(use.timer);
      this.#uses.delete(use);
      use.connection?.release();
    }
  }

  async #run<T>(use: Use, work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.getConnection();
    if (!this.#uses.has(use)) {
      connection.release();
      throw new AbandonedError();
    }
    use.connection = connection;
    // As `inTime` does it, without a second race: this is the way of the hot reads.
    use.timer = setTimeout(() => {
      use.fail(new OverdueError());
      connection.destroy();
    }, limits.catalogQueryTimeoutMs);
    await this.#setUp(connection);
    return work(connection);
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

/** Somebody who uses a connection, or waits for one. */
interface Use {
  readonly fail: (error: Error) => void;
  connection: PoolConnection | undefined;
  timer: Timer | undefined;
}

/**
 * mysql2's own time-out leaves the connection waiting for an answer that may never come, so an
 * overdue connection is thrown away here.
 */
async function inTime<T>(connection: Pick<Connection, "destroy">, work: () => Promise<T>) {
  const overdue = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    overdue.reject(new OverdueError());
    connection.destroy();
  }, limits.catalogQueryTimeoutMs);
  try {
    return await Promise.race([work(), overdue.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function runStep(
  connection: PoolConnection,
  { text, params, kind }: Step,
): Promise<StepResult> {
  const options = { sql: text, rowsAsArray: true };
  const [result]: [unknown, unknown] = await connection.query(options, [...params]);
  if (kind === "read") return { rows: result as unknown[][], changed: 0 };
  return { rows: [], changed: (result as mysql.ResultSetHeader).affectedRows };
}

/** The connection of a snapshot, in the place of a pool. It reads, and nothing else. */
export class SnapshotConnection {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  query(options: mysql.QueryOptions, params: unknown[]): Promise<unknown> {
    return inTime(this.#connection, () => this.#connection.query(options, params));
  }

  async execute(sql: string, params: unknown[]): Promise<unknown[][]> {
    const [rows] = await inTime(this.#connection, () =>
      this.#connection.query<mysql.RowDataPacket[][]>({ sql, rowsAsArray: true }, params),
    );
    return rows;
  }

  transaction(): never {
    throw new TypeError("a snapshot can only be read");
  }

  snapshot(): Promise<SnapshotConnection> {
    return Promise.resolve(this);
  }

  async close(): Promise<void> {
    this.#connection.destroy();
  }
}

/** For SELECT and START TRANSACTION, and for UPDATE and DELETE. */
const syncWait = 1 + 2;

/**
 * On a Galera cluster a node may not have yet what another one has acknowledged. So reads and
 * transactions wait for it when they begin, and so does an UPDATE or DELETE outside of one, which
 * would else change nothing and say so. An INSERT need not wait (4): when a row of another node is
 * in its way, the cluster refuses its commit as a deadlock. Other servers do not know the setting,
 * or ignore it.
 */
export async function waitForGalera(connection: Connection): Promise<void> {
  try {
    await connection.query(`SET SESSION wsrep_sync_wait = ${syncWait}`);
  } catch (error) {
    if (systemErrorCode(error) !== "ER_UNKNOWN_SYSTEM_VARIABLE") throw error;
  }
}

class AbandonedError extends Error {
  readonly code = "PROTOCOL_CONNECTION_LOST";

  constructor() {
    super("the server has fallen silent");
    this.name = "AbandonedError";
  }
}

class OverdueError extends Error {
  readonly code = "PROTOCOL_SEQUENCE_TIMEOUT";

  constructor() {
    super(`no answer within ${limits.catalogQueryTimeoutMs} ms`);
    this.name = "OverdueError";
  }
}
