import { fillPlaceholders, type Query } from "drizzle-orm";
import type { ReadOptions } from "./catalog.ts";
import { type Columns, decoderOf, type RowOf } from "./decode.ts";
import type { Dialect } from "./dialect.ts";

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
): (doing: string, values: Record<string, string>, options?: ReadOptions) => Promise<RowOf<C>[]> {
  const { sql, params } = query.toSQL();
  const run = dialect.prepare(sql);
  const decode = decoderOf(columns);
  return async (doing, values, options) => {
    const rows = await run(doing, fillPlaceholders(params, values), options);
    return rows.map(decode);
  };
}
