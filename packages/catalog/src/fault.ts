import { DsmError, type ErrorCode } from "@dsm/protocol";
import { Undo } from "./script.ts";

/** What a driver's error means to us. */
export interface Fault {
  readonly code: ErrorCode;
  /** The reason, for people. */
  readonly why: string;
  readonly remedy?: string;
  /** The statement may be sent again at once; `once` where the next one would hardly do better. */
  readonly again?: "deadlock" | "stale connection" | "once";
  /** It is the server that is unfit: another one that keeps the same catalog may do it. */
  readonly elsewhere?: true;
}

/** A call after `close`: a process that drains may still make one. Drivers say it in many ways. */
export function wasClosed(doing: string, shown: string): DsmError {
  return new DsmError("CATALOG_UNAVAILABLE", `catalog ${shown}: cannot ${doing}: it was closed`, {
    remedy: "open it again",
  });
}

/** Finds out what a driver's error means; undefined when it is none that operation brings. */
export type Explain = (error: Error) => Fault | undefined;

const migrateRemedy = "run `dsm catalog migrate`";
export const notMigrated: Fault = {
  code: "CATALOG_UNAVAILABLE",
  why: "its tables are missing or of an older dsm",
  remedy: migrateRemedy,
};

/**
 * Drizzle wraps the driver's error in one whose message is the whole statement with its values;
 * the cause is what matters.
 */
export function driverError(thrown: unknown): Error {
  let error = thrown instanceof Error ? thrown : new Error(String(thrown));
  while (isWrapper(error) && error.cause instanceof Error) error = error.cause;
  return error;
}

/** What Drizzle throws for a statement: one class where it runs at once, another elsewhere. */
function isWrapper(error: Error): boolean {
  return error.name === "DrizzleError" || (error.name !== "DsmError" && "query" in error);
}

/** Any failure of `doing` on the catalog `shown`, as the DsmError that callers see. */
export function catalogError(
  thrown: unknown,
  doing: string,
  shown: string,
  explain: Explain,
): DsmError | Undo {
  const error = driverError(thrown);
  if (error instanceof DsmError || error instanceof Undo) return error;
  const fault = explain(error);
  if (fault === undefined) return DsmError.from(error, `catalog ${shown}: to ${doing}`);
  return new DsmError(fault.code, `catalog ${shown}: cannot ${doing}: ${fault.why}`, {
    remedy: fault.remedy,
    cause: error,
  });
}
