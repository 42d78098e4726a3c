import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";

const cacheKib = 64 * 1024;

/**
 * An SQLite database that nobody else sees and that leaves nothing behind: its file loses its
 * name at once, so the system takes the space back when the process ends, in whatever way.
 * Rows that do not fit into the cache are sorted on disk too, in the folder of TMPDIR.
 * @throws DsmError DATA_NOT_WRITABLE
 */
export function openScratchDatabase(folder = tmpdir()): Database {
  try {
    const home = mkdtempSync(join(folder, "dsm-index-"));
    try {
      const database = new Database(join(home, "index.db"), { create: true, strict: true });
      // Nothing here outlives a crash, so nothing is written twice or synced.
      database.run("PRAGMA journal_mode = OFF");
      database.run("PRAGMA synchronous = OFF");
      database.run("PRAGMA locking_mode = EXCLUSIVE");
      database.run("PRAGMA temp_store = FILE");
      database.run(`PRAGMA cache_size = -${cacheKib}`);
      // The first table makes the file; from then on it is open, and no name is needed.
      database.run("CREATE TABLE opened (at INTEGER)");
      return database;
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  } catch (cause) {
    const code = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("DATA_NOT_WRITABLE", `no index can be made in ${folder}: ${code}`, {
      remedy: "set TMPDIR to a folder that this user may write and that has space",
      cause,
    });
  }
}
