import { limits } from "@dsm/protocol";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { explainMySql } from "./mysql-fault.ts";

const table = "dsm_migrating";
const pollMs = 100;

/**
 * Lets one process at a time migrate a Galera cluster, whose nodes do not know of each other's
 * GET_LOCK: a row that its owner changes all the time. One that does not change any more is taken
 * over, so that a process that was killed holds nobody up for long. No clocks are compared.
 */
export class MigrationLease {
  readonly #connection: Connection;
  readonly #owner: string = crypto.randomUUID();
  #timer: Timer | undefined;

  /** @param connection of its own: that of the migration may be busy for minutes */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @returns false when another process has had it for limits.catalogMigrateTimeoutMs */
  async take(): Promise<boolean> {
    await this.#connection.query(
      `CREATE TABLE IF NOT EXISTS ${table} (id tinyint NOT NULL PRIMARY KEY,
        owner char(36) NOT NULL, beat bigint unsigned NOT NULL)`,
    );
    const deadlineMs = performance.now() + limits.catalogMigrateTimeoutMs;
    let seen = { key: "", sinceMs: 0 };
    while (performance.now() < deadlineMs) {
      const row = await this.#read();
      if (row === undefined) {
        if (await this.#change(`INSERT IGNORE INTO ${table} VALUES (1, ?, 0)`)) return this.#keep();
        continue;
      }
      const key = `${row.owner} ${row.beat}`;
      if (seen.key !== key) seen = { key, sinceMs: performance.now() };
      if (performance.now() - seen.sinceMs > limits.catalogMigrateStaleMs) {
        const isSame = "id = 1 AND owner = ? AND beat = ?";
        const takeOver = `UPDATE ${table} SET owner = ?, beat = 0 WHERE ${isSame}`;
        if (await this.#change(takeOver, row.owner, row.beat)) return this.#keep();
      }
      await Bun.sleep(pollMs);
    }
    return false;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#change(`DELETE FROM ${table} WHERE owner = ?`);
  }

  #keep(): true {
    const beat = `UPDATE ${table} SET beat = beat + 1 WHERE owner = ?`;
    this.#timer = setInterval(() => {
      // While a table is altered it waits as well, and so does everybody who would take over.
      this.#change(beat).catch(() => undefined);
    }, limits.catalogMigrateBeatMs);
    return true;
  }

  async #read(): Promise<{ owner: string; beat: number } | undefined> {
    const [[row]] = await this.#connection.query<RowDataPacket[]>(
      `SELECT owner, beat FROM ${table} WHERE id = 1`,
    );
    if (row === undefined) return undefined;
    return { owner: String(row["owner"]), beat: Number(row["beat"]) };
  }

  /** @returns whether this process did it, and not another one at the same moment */
  async #change(statement: string, ...values: Array<string | number>): Promise<boolean> {
    try {
      const params = [this.#owner, ...values];
      const [result] = await this.#connection.query<ResultSetHeader>(statement, params);
      return result.affectedRows === 1;
    } catch (error) {
      if (error instanceof Error && explainMySql(error)?.again === "deadlock") return false;
      throw error;
    }
  }
}
