import type { SQLWrapper } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type { Tables } from "./schema/define.ts";

/** Drizzle's query builder in the types of SQLite, also when it writes MySQL. */
export type Db = BaseSQLiteDatabase<"async", unknown, Record<string, never>>;

/** One column and its values of a row, as the driver gave them. */
export type RawRow = readonly unknown[];

/** What differs between SQLite and MySQL; everything above is written once. */
export interface Dialect {
  readonly name: "sqlite" | "mysql";
  readonly db: Db;
  readonly tables: Tables;
  /** The end of an INSERT that leaves a row alone which is there already. */
  ifAbsent(anyColumn: string): string;
  /** Runs reading statements. `doing` completes "cannot …" in errors. */
  read<T>(doing: string, work: () => PromiseLike<T>): Promise<T>;
  /** Runs one writing statement. @returns how many rows it changed */
  write(doing: string, statement: SQLWrapper): Promise<number>;
  /** The same past Drizzle, which takes ten times as long as SQLite to build a large statement. */
  writeText(doing: string, statement: string, params: unknown[]): Promise<number>;
  /** Prepares a statement once for the hottest reads; `run` gives rows as arrays. */
  prepare(statement: string): (doing: string, params: unknown[]) => Promise<readonly RawRow[]>;
  close(): Promise<void>;
}
