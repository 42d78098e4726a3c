import { Database, SQLiteError } from "bun:sqlite";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { readClusterFile } from "../cluster-file.ts";

/**
 * Keeps a second `dsm up` off a data folder for as long as this process lives. It is SQLite's
 * lock on an empty database: the system drops it with the process, however that ends, so a lock
 * is never left behind as a pid file would be.
 * @throws DsmError DATA_NOT_WRITABLE, CONFLICT when another one runs there
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  await makeDataDir(dataDir);
  try {
    const lock = new Database(join(dataDir, "up.lock"), { create: true });
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
    return { [Symbol.dispose]: () => lock.close() };
  } catch (cause) {
    if (!(cause instanceof SQLiteError)) throw cause;
    if (cause.code === "SQLITE_BUSY") throw await runsAlready(dataDir, cause);
    throw notWritable(dataDir, cause.code ?? cause.message, cause);
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw notWritable(dataDir, systemErrorCode(cause) ?? String(cause), cause);
  }
}

function notWritable(dataDir: string, why: string, cause: unknown): DsmError {
  return new DsmError("DATA_NOT_WRITABLE", `the data folder ${dataDir} cannot be written: ${why}`, {
    remedy: "choose a folder that this user may write with --data",
    cause,
  });
}

async function runsAlready(dataDir: string, cause: unknown): Promise<DsmError> {
  const running = await readClusterFile(dataDir);
  const where = running === undefined ? "" : ` at ${running.http} (pid ${running.pid})`;
  return new DsmError("CONFLICT", `a dsm up runs on ${dataDir} already${where}`, {
    remedy: "use that one, stop it, or choose another folder with --data",
    cause,
  });
}
