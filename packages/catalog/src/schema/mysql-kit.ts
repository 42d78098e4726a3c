import {
  bigint,
  customType,
  index,
  type MySqlColumn,
  mysqlTable,
  primaryKey,
  tinyint,
} from "drizzle-orm/mysql-core";
import type { ColumnKit } from "./sqlite-kit.ts";

/**
 * No collation of MySQL keeps trailing spaces, case and normalization forms apart in every
 * version; VARBINARY does, and orders by bytes. Drizzle's own varbinary hands bytes over as they
 * come, so the UTF-8 is written here.
 */
const utf8Bytes = customType<{
  data: string;
  driverData: Uint8Array;
  config: { maxBytes: number };
}>({
  dataType: (config) => `varbinary(${config?.maxBytes})`,
  toDriver: (text) => Buffer.from(text, "utf8"),
  fromDriver: (bytes) => Buffer.from(bytes).toString("utf8"),
});

const hexDigits = customType<{ data: string; driverData: string; config: { digits: number } }>({
  dataType: (config) => `char(${config?.digits}) CHARACTER SET ascii COLLATE ascii_bin`,
});

const mysqlColumns = {
  table: mysqlTable,
  primaryKey,
  index,
  bytes: (name: string, maxBytes: number) => utf8Bytes(name, { maxBytes }),
  hex: (name: string, digits: number) => hexDigits(name, { digits }),
  count: (name: string) => bigint(name, { mode: "number", unsigned: true }),
  sum: (name: string) => bigint(name, { mode: "number" }),
  // MySQL has no partial indexes: the nulls stand in it too, one behind the other.
  sparseIndex: (name: string, first: MySqlColumn, mostlyNull: MySqlColumn) =>
    index(name).on(first, mostlyNull),
  flag: (name: string) => tinyint(name),
};

/**
 * Both kits build tables with the same names and the same TypeScript values, so one cast here
 * lets every query be written once, in the types of SQLite.
 */
export const mysqlKit = mysqlColumns as unknown as ColumnKit;
