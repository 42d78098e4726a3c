import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  type SQLiteColumn,
  sqliteTable,
  text,
} from "drizzle-orm/sqlite-core";

/**
 * The few kinds of columns that the catalog is made of, for SQLite. TEXT compares with the
 * BINARY collation, which is memcmp over UTF-8, so names are byte-exact without further ado.
 */
export const sqliteKit = {
  table: sqliteTable,
  primaryKey,
  index,
  /** Text that is compared and ordered byte by byte; `maxBytes` binds only in MySQL. */
  bytes: (name: string, _maxBytes: number) => text(name),
  /** Exactly `digits` lowercase hex digits, or the empty string. */
  hex: (name: string, _digits: number) => text(name),
  /** A whole number up to 2^53 - 1. */
  count: (name: string) => integer(name, { mode: "number" }),
  /** A sum that statements add to and take from. */
  sum: (name: string) => integer(name, { mode: "number" }),
  /** An index for columns of which the last is null in most rows; those rows cost it nothing. */
  sparseIndex: (name: string, first: SQLiteColumn, mostlyNull: SQLiteColumn) =>
    index(name)
      .on(first, mostlyNull)
      .where(sql`${mostlyNull} is not null`),
  /** 0 or 1. */
  flag: (name: string) => integer(name, { mode: "number" }),
};

export type ColumnKit = typeof sqliteKit;
