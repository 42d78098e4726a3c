import { type BlobId, limits } from "@dsm/protocol";
import { getTableColumns, inArray } from "drizzle-orm";
import type { Change } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import type { Tables } from "../schema/define.ts";

type VersionRow = Tables["versions"]["$inferInsert"];

/** @throws RangeError for more than `limits.commitBatchMax` changes */
export async function commitChanges(
  dialect: Dialect,
  changes: readonly Change[],
): Promise<boolean[]> {
  if (changes.length > limits.commitBatchMax) {
    throw new RangeError(`${changes.length} changes are more than ${limits.commitBatchMax}`);
  }
  if (changes.length === 0) return [];
  const rows = changes.map(rowOf);
  // All processes lock rows in the same order, so that deadlocks stay rare.
  const inOrder = rows.toSorted((a, b) => Buffer.compare(sortKey(a), sortKey(b)));
  const { text, params } = insertion(dialect, inOrder);
  const added = await dialect.writeText(`commit ${rows.length} changes`, text, params);
  if (added === rows.length) return rows.map(() => true);
  return inForce(dialect, rows);
}

function rowOf(change: Change): VersionRow {
  if (change.kind === "put") {
    const { blobId, modifiedAtMs, ...file } = change.file;
    const replaces = change.replaces ?? null;
    const trashGroup = replaces === null ? null : file.group;
    return { ...file, id: blobId, atMs: modifiedAtMs, deleted: 0, replaces, trashGroup };
  }
  const { user, fileId, group, id, version, replaces, atMs } = change;
  const nothing = { deleted: 1, sizeBytes: 0, sha256: "", mediaType: "" };
  return { ...nothing, user, fileId, group, id, version, atMs, replaces, trashGroup: group };
}

function sortKey(row: VersionRow): Buffer {
  return Buffer.from(`${row.user}\0${row.fileId}`);
}

/**
 * One INSERT for all rows. A row goes in when the version before it is the newest one; its own
 * version, when it is taken, and an id that is there already stop it silently. It must replace
 * the blob of that version, or a blob would never come into the trash. The check for later
 * versions matters once the reaper has removed old rows and so freed their numbers.
 */
function insertion(dialect: Dialect, rows: VersionRow[]): { text: string; params: unknown[] } {
  const columns = Object.entries(getTableColumns(dialect.tables.versions));
  const names = columns.map(([, column]) => column.name);
  const row = `select ${names.map((name) => `? as ${name}`).join(", ")}`;
  const text = `insert into versions (${names.join(", ")})
    select ${names.map((name) => `v.${name}`).join(", ")}
    from (${rows.map(() => row).join(" union all ")}) as v
    where not exists (select 1 from versions as w
      where w.user = v.user and w.file_id = v.file_id and w.version >= v.version)
    and ((v.version = 1 and v.replaces is null) or exists (select 1 from versions as w
      where w.user = v.user and w.file_id = v.file_id and w.version = v.version - 1
      and ((w.deleted = 0 and w.id = v.replaces) or (w.deleted = 1 and v.replaces is null))))
    ${dialect.ifAbsent("versions.id")}`;
  const params = rows.flatMap((values) =>
    columns.map(([key, column]) => {
      const value = values[key as keyof VersionRow] ?? null;
      return value === null ? null : column.mapToDriverValue(value);
    }),
  );
  return { text, params };
}

/** Which of the rows are there, by an earlier try of the same change or by this one. */
async function inForce(dialect: Dialect, rows: VersionRow[]): Promise<boolean[]> {
  const { versions } = dialect.tables;
  const { id, user, fileId, version } = versions;
  const ids = rows.map((row) => row.id);
  const found = await dialect.read(`look up ${rows.length} changes`, () =>
    dialect.db.select({ id, user, fileId, version }).from(versions).where(inArray(id, ids)),
  );
  const byId = new Map<BlobId, (typeof found)[number]>(found.map((row) => [row.id, row]));
  return rows.map((row) => {
    const there = byId.get(row.id);
    return (
      there !== undefined &&
      there.user === row.user &&
      there.fileId === row.fileId &&
      there.version === row.version
    );
  });
}
