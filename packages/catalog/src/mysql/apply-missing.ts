import { limits } from "@dsm/protocol";
import { drizzle } from "drizzle-orm/mysql2";
import { migrate } from "drizzle-orm/mysql2/migrator";
import type { Connection } from "mysql2/promise";
import { driverError } from "../fault.ts";
import { migrationsFolder, migrationsTable } from "../migrations.ts";
import { explainMySql } from "./mysql-fault.ts";

/**
 * Applies the migrations that are missing. A cluster is in use meanwhile: its writes and the UPDATE
 * of a migration may each wait for the other, and the server ends one of them. Every migration can
 * be run again after it was cut off anywhere.
 */
export async function applyMissing(connection: Connection): Promise<void> {
  const config = { migrationsFolder: migrationsFolder("mysql"), migrationsTable };
  const deadlineMs = performance.now() + limits.catalogMigrateTimeoutMs;
  for (;;) {
    try {
      await migrate(drizzle({ client: connection }), config);
      return;
    } catch (error) {
      const isDeadlock = explainMySql(driverError(error))?.again === "deadlock";
      if (!isDeadlock || performance.now() > deadlineMs) throw error;
    }
    await Bun.sleep(Math.random() * limits.catalogLoadRetryMs);
  }
}
