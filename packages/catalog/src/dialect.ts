import type { SQLWrapper } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type { ReadOptions } from "./catalog.ts";
import type { Tables } from "./schema/define.ts";
import type { RawRow, Script } from "./script.ts";

/** Drizzle's query builder in the types of SQLite, also when it writes MySQL. */
export type Db = BaseSQLiteDatabase<"async", unknown, Record<string, never>>;

/** What differs between SQLite and MySQL; everything above is written once. */
export interface Dialect {
  readonly name: "sqlite" | "mysql";
  readonly db: Db;
  readonly tables: Tables;
  /** The end of an INSERT that leaves a row alone which is there already. */
  ifAbsent(anyColumn: string): string;
  /** The end of an INSERT into `table` whose values are added to those of a row that is there. */
  addUp(table: string, keys: readonly string[], columns: readonly string[]): string;
  /** The end of a SELECT in a transaction whose rows nobody may change until it ends. */
  readonly locking: string;
  /** Runs reading statements. `doing` completes "cannot …" in errors. */
  read<T>(doing: string, work: () => PromiseLike<T>): Promise<T>;
  /** Runs one writing statement. @returns how many rows it changed */
  write(doing: string, statement: SQLWrapper): Promise<number>;
  /**
   * Runs the statements of a script in one transaction, from the start again after a deadlock.
   * What the script throws undoes all of it.
   */
  atomic<T>(doing: string, script: Script<T>): Promise<T>;
  /** A dialect that reads everything as it is at one moment, while others go on writing. */
  snapshot<T>(doing: string, work: (at: Dialect) => Promise<T>): Promise<T>;
  /** Prepares a statement once for the hottest reads; `run` gives rows as arrays. */
  prepare(
    statement: string,
  ): (doing: string, params: unknown[], options?: ReadOptions) => Promise<readonly RawRow[]>;
  close(): Promise<void>;
}
