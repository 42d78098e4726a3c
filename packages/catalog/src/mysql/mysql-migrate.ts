import { DsmError, limits, systemErrorCode } from "@dsm/protocol";
import mysql, { type Connection, type RowDataPacket } from "mysql2/promise";
import { catalogError } from "../fault.ts";
import { raiseUsableFrom } from "../migrations.ts";
import type { MySqlTarget } from "../target.ts";
import { applyMissing } from "./apply-missing.ts";
import { MigrationLease } from "./migration-lease.ts";
import { connectionOptions, waitForGalera } from "./mysql-connections.ts";
import { explainMySql } from "./mysql-fault.ts";
import { firstUsable } from "./node-probe.ts";

/** Brings the tables up to date. The database itself must be there. */
export async function migrateMySql(target: MySqlTarget): Promise<void> {
  await using stack = new AsyncDisposableStack();
  try {
    const server = await firstUsable(target);
    const connect = async () => {
      const connection = await mysql.createConnection(connectionOptions(target, server));
      // What happens to it between two statements is told by the next one.
      connection.on("error", () => {});
      stack.defer(() => connection.destroy());
      await waitForGalera(connection);
      return connection;
    };
    const connection = await connect();
    if (await isGalera(connection)) {
      const lease = new MigrationLease(await connect());
      if (!(await lease.take())) throw othersMigrate(target.database);
      stack.defer(() => lease.release().catch(() => undefined));
    } else {
      // The server lets go of the lock when the connection ends, however it ends.
      await lock(connection, target.database);
    }
    await raiseBefore(connection);
    await applyMissing(connection);
    await connection.query(raiseUsableFrom("mysql"));
  } catch (error) {
    throw catalogError(error, "migrate it", target.shown, explainMySql);
  }
}

/** DDL commits by itself: a cut in the middle must not leave tables that an old dsm opens. */
async function raiseBefore(connection: Connection): Promise<void> {
  try {
    await connection.query(raiseUsableFrom("mysql"));
  } catch (error) {
    // A new catalog has no tables yet.
    if (systemErrorCode(error) !== "ER_NO_SUCH_TABLE") throw error;
  }
}

async function isGalera(connection: Connection): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>("SHOW VARIABLES LIKE 'wsrep_on'");
  return rows[0]?.["Value"] === "ON";
}

/** Drizzle's migrator takes no lock of its own; two at a time would both make the tables. */
async function lock(connection: Connection, database: string): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>(
    "SELECT GET_LOCK(CONCAT('dsm.migrate.', MD5(?)), ?) AS got",
    [database, limits.catalogMigrateTimeoutMs / 1_000],
  );
  if (rows[0]?.["got"] !== 1) throw othersMigrate(database);
}

function othersMigrate(database: string): DsmError {
  const waitSeconds = limits.catalogMigrateTimeoutMs / 1_000;
  return new DsmError(
    "CATALOG_UNAVAILABLE",
    `another process has been migrating the database ${database} for ${waitSeconds} s`,
    { remedy: "wait until it is done, or end it" },
  );
}
