import type { Catalog, GroupRow, Move, UserRow, VersionRow } from "@dsm/catalog";
import { limits, type UserUsage } from "@dsm/protocol";

/** All rows of a catalog, in the order of their keys. */
export interface Rows {
  readonly groups: GroupRow[];
  readonly users: UserRow[];
  readonly versions: VersionRow[];
  readonly usage: Record<string, UserUsage | undefined>;
  readonly moves: Move[];
  readonly nextIds: Record<string, number>;
}

export async function rowsOf(catalog: Catalog): Promise<Rows> {
  const users = await all((after: UserRow | undefined, limit) =>
    catalog.users({ limit, ...(after === undefined ? {} : { after: after.name }) }),
  );
  const versions = await all((after: VersionRow | undefined, limit) =>
    catalog.versions({ limit, ...(after === undefined ? {} : { after }) }),
  );
  const usage: Rows["usage"] = {};
  for (const { name } of users) usage[name] = await catalog.usageOf(name);
  const nextIds: Rows["nextIds"] = {};
  for (const { name, next } of await catalog.segments()) nextIds[name] = next;
  const [groups, moves] = [await catalog.groups(), await catalog.moves({ limit: limits.listMax })];
  return { groups, users, versions, usage, moves, nextIds };
}

async function all<T>(page: (after: T | undefined, limit: number) => Promise<T[]>): Promise<T[]> {
  const rows: T[] = [];
  for (let after: T | undefined; ;) {
    const more = await page(after, limits.listMax);
    rows.push(...more);
    if (more.length < limits.listMax) return rows;
    after = more.at(-1);
  }
}

/**
 * A catalog as far as journals and blobs tell of it. The one place that says what a rebuild may
 * do otherwise:
 *
 * - Damage marks stand in the catalog alone; the scrub finds the damage again.
 * - A tombstone that a later version follows and whose blob was unlinked has done its duty. The
 *   reaper sweeps it only with the next blob of that file; a rebuild does not bring it back.
 * - A user without a file comes back where a storage has journaled that user, which it does now and
 *   then; a history that is over at once need not have come to it.
 * - Ids are compared by themselves: a rebuild passes many over.
 */
export function comparable({ users, versions, usage, moves }: Rows) {
  const kept = versions
    .filter((row, i) => !(row.deleted && row.trashGroup === undefined && isFollowed(versions, i)))
    .map((row) => omit(row, "damage"));
  const haveFiles = new Set(kept.map((row) => row.user));
  return {
    users: users.filter(({ name }) => haveFiles.has(name)),
    versions: kept,
    moves,
    usage: Object.fromEntries(Object.entries(usage).filter(([name]) => haveFiles.has(name))),
  };
}

function omit(row: VersionRow, key: keyof VersionRow): VersionRow {
  return Object.fromEntries(
    Object.entries(row).filter(([name]) => name !== key),
  ) as object as VersionRow;
}

function isFollowed(versions: readonly VersionRow[], index: number): boolean {
  const [row, next] = [versions[index], versions[index + 1]];
  return next !== undefined && next.user === row?.user && next.fileId === row.fileId;
}
