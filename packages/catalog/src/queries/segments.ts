import { DsmError, limits } from "@dsm/protocol";
import { and, eq, sql } from "drizzle-orm";
import type { Segment } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";

/**
 * Compare-and-swap on one row: whoever changes `next` owns what lies between. When the answer to
 * a swap that took place is lost, the ids are lost with it, and nobody gets them again.
 *
 * @throws RangeError for a count that is no positive whole number
 */
export async function leaseSegment(
  dialect: Dialect,
  name: string,
  count: number,
): Promise<Segment> {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${count} is not a count`);
  for (let tries = 0; tries < limits.catalogRetryMax; tries++) {
    const first = await nextOf(dialect, name);
    if (first === undefined) await begin(dialect, name);
    else if (await swap(dialect, name, first, first + count)) return { first, count };
  }
  throw new DsmError(
    "CATALOG_UNAVAILABLE",
    `cannot lease ids of ${name}: others were faster ${limits.catalogRetryMax} times`,
    { remedy: "lease larger segments" },
  );
}

async function nextOf(dialect: Dialect, name: string): Promise<number | undefined> {
  const { idSegments } = dialect.tables;
  const rows = await dialect.read(`lease ids of ${name}`, () =>
    dialect.db.select({ next: idSegments.next }).from(idSegments).where(eq(idSegments.name, name)),
  );
  return rows[0]?.next;
}

async function begin(dialect: Dialect, name: string): Promise<void> {
  const { idSegments } = dialect.tables;
  await dialect.write(
    `begin the ids of ${name}`,
    sql`insert into ${idSegments} (${sql.identifier("name")}, ${sql.identifier("next")})
      values (${sql.param(name, idSegments.name)}, 1) ${sql.raw(dialect.ifAbsent("id_segments.name"))}`,
  );
}

async function swap(dialect: Dialect, name: string, from: number, to: number): Promise<boolean> {
  if (!Number.isSafeInteger(to)) {
    throw new DsmError("INTERNAL", `cannot lease ids of ${name}: the ids up to 2^53 are used up`);
  }
  const { idSegments } = dialect.tables;
  const swapped = await dialect.write(
    `lease ids of ${name}`,
    dialect.db
      .update(idSegments)
      .set({ next: to })
      .where(and(eq(idSegments.name, name), eq(idSegments.next, from))),
  );
  return swapped === 1;
}
