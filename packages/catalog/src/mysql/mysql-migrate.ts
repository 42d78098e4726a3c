import { DsmError, limits } from "@dsm/protocol";
import { drizzle } from "drizzle-orm/mysql2";
import { migrate } from "drizzle-orm/mysql2/migrator";
import mysql, { type Connection, type RowDataPacket } from "mysql2/promise";
import { catalogError } from "../fault.ts";
import { migrationsFolder, migrationsTable } from "../migrations.ts";
import type { MySqlTarget } from "../target.ts";
import { connectionOptions } from "./mysql-connections.ts";
import { explainMySql } from "./mysql-fault.ts";

/** Brings the tables up to date. The database itself must be there. */
export async function migrateMySql(target: MySqlTarget): Promise<void> {
  try {
    const connection = await mysql.createConnection(connectionOptions(target));
    try {
      await lock(connection, target.database);
      await migrate(drizzle({ client: connection }), {
        migrationsFolder: migrationsFolder("mysql"),
        migrationsTable,
      });
    } finally {
      // The server lets go of the lock when the connection ends, however it ends.
      await connection.end();
    }
  } catch (error) {
    throw catalogError(error, "migrate it", target.shown, explainMySql);
  }
}

/** Drizzle's migrator takes no lock of its own; two at a time would both make the tables. */
async function lock(connection: Connection, database: string): Promise<void> {
  const waitSeconds = limits.catalogMigrateTimeoutMs / 1_000;
  const [rows] = await connection.query<RowDataPacket[]>(
    "SELECT GET_LOCK(CONCAT('dsm.migrate.', MD5(?)), ?) AS got",
    [database, waitSeconds],
  );
  if (rows[0]?.["got"] === 1) return;
  throw new DsmError(
    "CATALOG_UNAVAILABLE",
    `another process has been migrating the database ${database} for ${waitSeconds} s`,
    { remedy: "wait until it is done, or end it" },
  );
}
