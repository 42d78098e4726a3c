import { systemErrorCode } from "@dsm/protocol";
import { type Fault, notMigrated } from "../fault.ts";

const code = "CATALOG_UNAVAILABLE";

/** Result codes of SQLite (sqlite.org/rescode.html) without their extensions. */
const faults: Record<string, Fault> = {
  SQLITE_BUSY: { code, why: "other processes kept it locked", remedy: "try again in a moment" },
  SQLITE_LOCKED: { code, why: "it is locked", remedy: "try again in a moment" },
  SQLITE_FULL: { code, why: "the disk is full", remedy: "make room on the disk" },
  SQLITE_IOERR: { code, why: "reading or writing the file failed", remedy: "check the disk" },
  SQLITE_READONLY: { code, why: "the file is read-only", remedy: "check its permissions" },
  SQLITE_CANTOPEN: {
    code,
    why: "the file is missing or must not be opened",
    remedy: "run `dsm catalog migrate`, or check the path and its permissions",
  },
  SQLITE_PERM: { code, why: "the file must not be opened", remedy: "check its permissions" },
  SQLITE_NOTADB: {
    code: "DATA_CORRUPT",
    why: "the file is no SQLite database",
    remedy: "check the path, or restore the file and run `dsm catalog rebuild`",
  },
  SQLITE_CORRUPT: {
    code: "DATA_CORRUPT",
    why: "the file is damaged",
    remedy: "restore the file and run `dsm catalog rebuild`",
  },
};

export function explainSqlite(error: Error): Fault | undefined {
  const resultCode = systemErrorCode(error) ?? "";
  const primary = /^SQLITE_[A-Z]+/.exec(resultCode)?.[0] ?? "";
  if (Object.hasOwn(faults, primary)) return faults[primary];
  // SQLite has one code for all faults of a statement, and tells them apart by text only.
  if (primary === "SQLITE_ERROR" && error.message.includes("no such table")) return notMigrated;
  return undefined;
}
