import mysql, { type RowDataPacket } from "mysql2/promise";
import { catalogError } from "../fault.ts";
import type { MySqlTarget } from "../target.ts";
import { connectionOptions } from "./mysql-connections.ts";
import { explainMySql } from "./mysql-fault.ts";

const variables = [
  "binlog_format",
  "innodb_flush_log_at_trx_commit",
  "log_bin",
  "max_allowed_packet",
  "max_connections",
  "sync_binlog",
  "wsrep_on",
];
const states = ["wsrep_cluster_size", "wsrep_cluster_status", "wsrep_local_state_comment"];

/**
 * What the first server was configured to, and how its Galera cluster stands; servers leave out
 * what they do not know.
 * @throws DsmError CATALOG_UNAVAILABLE or BAD_CONFIG
 */
export async function readServerSettings(target: MySqlTarget): Promise<Map<string, string>> {
  try {
    const connection = await mysql.createConnection(connectionOptions(target, target.servers[0]));
    // What happens to it between two statements is told by the next one.
    connection.on("error", () => {});
    try {
      const settings = new Map<string, string>();
      for (const [what, names] of [
        ["VARIABLES", variables],
        ["STATUS", states],
      ] as const) {
        const [rows] = await connection.query<RowDataPacket[]>(
          `SHOW GLOBAL ${what} WHERE Variable_name IN (?)`,
          [names],
        );
        for (const row of rows) settings.set(String(row["Variable_name"]), String(row["Value"]));
      }
      return settings;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw catalogError(error, "read its settings", target.shown, explainMySql);
  }
}
