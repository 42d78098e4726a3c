import type { GetColumnData } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { RawRow } from "./script.ts";

export type Columns = Record<string, SQLiteColumn>;
export type RowOf<C extends Columns> = { [K in keyof C]: GetColumnData<C[K]> };

/** Rows that went past Drizzle, as Drizzle would have given them. `columns` are in their order. */
export function decoderOf<C extends Columns>(columns: C): (raw: RawRow) => RowOf<C> {
  const entries = Object.entries(columns);
  return (raw) =>
    Object.fromEntries(
      entries.map(([key, column], i) => [
        key,
        raw[i] === null ? null : column.mapFromDriverValue(raw[i]),
      ]),
    ) as RowOf<C>;
}
