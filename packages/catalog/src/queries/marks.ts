import { and, eq, like, not, type SQL, sql } from "drizzle-orm";
import type { Dialect } from "../dialect.ts";
import { change, type ScriptRun } from "../script.ts";

/**
 * What is to be known of the catalog as a whole stands among the segments, as rows that are none:
 * their names hold a colon, which no name may.
 */
export interface Mark {
  readonly name: string;
  readonly value: number;
}

/** Leaves the marks out of a list of segments. */
export function isSegment({ tables: { idSegments } }: Dialect): SQL {
  return not(like(idSegments.name, "%:%"));
}

/** The mark whose name begins so. */
export async function findMark(dialect: Dialect, prefix: string): Promise<Mark | undefined> {
  const { idSegments } = dialect.tables;
  const [mark] = await dialect.read(`look for the mark ${prefix}`, () =>
    dialect.db
      .select({ name: idSegments.name, value: idSegments.next })
      .from(idSegments)
      .where(like(idSegments.name, `${prefix}%`))
      .limit(1),
  );
  return mark;
}

/** A mark that is there already stays as it is. */
export async function setMark(dialect: Dialect, { name, value }: Mark): Promise<void> {
  const { idSegments } = dialect.tables;
  await dialect.write(
    `set the mark ${name}`,
    sql`insert into ${idSegments} (${sql.identifier("name")}, ${sql.identifier("next")})
      values (${sql.param(name, idSegments.name)}, ${value})
      ${sql.raw(dialect.ifAbsent("id_segments.name"))}`,
  );
}

export async function removeMark(dialect: Dialect, name: string): Promise<void> {
  const { idSegments } = dialect.tables;
  await dialect.write(
    `remove the mark ${name}`,
    dialect.db.delete(idSegments).where(eq(idSegments.name, name)),
  );
}

/** Of all who want to move a mark on from the same value one does; 0 where it is not yet. */
export function* moveMark(dialect: Dialect, mark: Mark, to: number): ScriptRun<boolean> {
  const { idSegments } = dialect.tables;
  const name = idSegments.name.mapToDriverValue(mark.name);
  const text = `insert into id_segments (name, next) values (?, 0)
    ${dialect.ifAbsent("id_segments.name")}`;
  if (mark.value === 0) yield* change({ text, params: [name] });
  const isMark = and(eq(idSegments.name, mark.name), eq(idSegments.next, mark.value));
  return (yield* change(dialect.db.update(idSegments).set({ next: to }).where(isMark))) === 1;
}
