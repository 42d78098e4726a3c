import { fillPlaceholders, type GetColumnData, type Query } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Dialect } from "./dialect.ts";

type Columns = Record<string, SQLiteColumn>;
type Row<C extends Columns> = { [K in keyof C]: GetColumnData<C[K]> };

/**
 * A read whose SQL Drizzle builds once and which then goes past Drizzle, as a prepared statement
 * of the driver: twice as fast on MySQL, thirty times on SQLite (bun-facts, "Drizzle").
 *
 * @param columns what `query` selects, in the same order
 */
export function hotRead<C extends Columns>(
  dialect: Dialect,
  columns: C,
  query: { toSQL(): Query },
): (doing: string, values: Record<string, string>) => Promise<Row<C>[]> {
  const { sql, params } = query.toSQL();
  const run = dialect.prepare(sql);
  const entries = Object.entries(columns);
  const decode = (raw: readonly unknown[]) =>
    Object.fromEntries(
      entries.map(([key, column], i) => [
        key,
        raw[i] === null ? null : column.mapFromDriverValue(raw[i]),
      ]),
    ) as Row<C>;
  return async (doing, values) => {
    const rows = await run(doing, fillPlaceholders(params, values));
    return rows.map(decode);
  };
}
