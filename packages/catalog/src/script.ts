import type { Query } from "drizzle-orm";

/** The values of a row, as the driver gave them. */
export type RawRow = readonly unknown[];

/** One statement of a script. */
export interface Step {
  readonly text: string;
  readonly params: readonly unknown[];
  /** Whether its rows are wanted, or how many it changed. */
  readonly kind: "read" | "write";
}

export interface StepResult {
  readonly rows: readonly RawRow[];
  readonly changed: number;
}

/**
 * The statements of one transaction, each decided by the results of those before it. A generator,
 * because SQLite's driver has no async transactions and MySQL's has no others: so the same script
 * runs in one go on the one, and with a round trip for each step on the other. It may run more
 * than once, and must leave nothing behind but what it returns.
 */
export type Script<T> = () => ScriptRun<T>;
export type ScriptRun<T> = Generator<Step, T, StepResult>;

/** Thrown by a script to undo what it did; whoever started it gets it as it is. */
export class Undo extends Error {
  override readonly name = "Undo";
}

type Built = { toSQL(): Query };

/** @returns the rows, with the columns in the order of the statement */
export function* readRows(
  statement: Built | { text: string; params: readonly unknown[] },
  ending = "",
): ScriptRun<readonly RawRow[]> {
  const { text, params } = "toSQL" in statement ? textOf(statement) : statement;
  const { rows } = yield { text: `${text}${ending}`, params, kind: "read" };
  return rows;
}

/** @returns how many rows were changed */
export function* change(
  statement: Built | { text: string; params: readonly unknown[] },
): ScriptRun<number> {
  const { text, params } = "toSQL" in statement ? textOf(statement) : statement;
  const { changed } = yield { text, params, kind: "write" };
  return changed;
}

function textOf(statement: Built): { text: string; params: readonly unknown[] } {
  const { sql, params } = statement.toSQL();
  return { text: sql, params };
}
