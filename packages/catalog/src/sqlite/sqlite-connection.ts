import { Database } from "bun:sqlite";
import { limits, systemErrorCode } from "@dsm/protocol";

interface OpenOptions {
  readonly create: boolean;
  readonly busyTimeoutMs: number;
}

/**
 * A connection that is safe beside other processes: it waits for locks before it does anything
 * that may meet one, and a commit is on the disk when it returns.
 */
export async function openSqlite(path: string, options: OpenOptions): Promise<Database> {
  const { create, busyTimeoutMs } = options;
  const database = new Database(path, { create, readwrite: true, strict: true });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    await turnOnWal(database, busyTimeoutMs);
    database.run("PRAGMA synchronous = FULL");
    // KiB when negative. Of the 2 MiB that are the default, commits spend a third of their time
    // reading pages again once the file is larger.
    database.run(`PRAGMA cache_size = -${limits.catalogCacheKiB}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const walRetryMs = 10;

/**
 * The switch to WAL needs the file alone and, where two processes want it at once, fails without
 * waiting out the busy time-out, for SQLite sees a deadlock in it. WAL stays on for good, so that
 * only the first openers of a new file ever come here twice.
 */
async function turnOnWal(database: Database, timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      database.run("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      const busy = systemErrorCode(error)?.startsWith("SQLITE_BUSY") === true;
      if (!busy || Date.now() > deadlineMs) throw error;
    }
    await Bun.sleep(walRetryMs);
  }
}
