import { getTableColumns } from "drizzle-orm";
import type { Change } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import type { Tables } from "../schema/define.ts";

/** A version as a change asks for it; in whose trash its blob comes, the statement finds out. */
export type NewRow = Omit<Tables["versions"]["$inferInsert"], "trashGroup">;

export function rowOf(change: Change): NewRow {
  if (change.kind === "put") {
    const { blobId, modifiedAtMs, ...file } = change.file;
    const replaces = change.replaces ?? null;
    const times =
      change.atMs === undefined ? { atMs: modifiedAtMs } : { atMs: change.atMs, modifiedAtMs };
    return { ...file, ...times, id: blobId, deleted: 0, replaces };
  }
  const { user, fileId, group, id, version, replaces, atMs } = change;
  const nothing = { deleted: 1, sizeBytes: 0, sha256: "", mediaType: "" };
  return { ...nothing, user, fileId, group, id, version, atMs, replaces };
}

/**
 * One INSERT for all rows. A row goes in when the version before it is the newest one; its own
 * version, when it is taken, and an id that is there already stop it silently. It must replace
 * the blob of that version, or a blob would never come into the trash; that is the trash of the
 * group where the blob lies, also when the user has moved meanwhile. The check for later versions
 * matters once the reaper has removed old rows and so freed their numbers.
 */
export function insertion(dialect: Dialect, rows: readonly NewRow[]) {
  const { trashGroup, ...given } = getTableColumns(dialect.tables.versions);
  const columns = Object.entries(given);
  const names = columns.map(([, column]) => column.name);
  const row = `select ${names.map((name) => `? as ${name}`).join(", ")}`;
  const text = `insert into versions (${names.join(", ")}, ${trashGroup.name})
    select ${names.map((name) => `v.${name}`).join(", ")},
      case when w.deleted = 0 then w.group_name end
    from (${rows.map(() => row).join(" union all ")}) as v
    left join versions as w
      on w.user = v.user and w.file_id = v.file_id and w.version = v.version - 1
    where not exists (select 1 from versions as l
      where l.user = v.user and l.file_id = v.file_id and l.version >= v.version)
    and ((v.version = 1 and v.replaces is null)
      or (w.deleted = 0 and w.id = v.replaces) or (w.deleted = 1 and v.replaces is null))
    ${dialect.ifAbsent("versions.id")}`;
  const params = rows.flatMap((values) =>
    columns.map(([key, column]) => {
      const value = values[key as keyof NewRow] ?? null;
      return value === null ? null : column.mapToDriverValue(value);
    }),
  );
  return { text, params };
}
