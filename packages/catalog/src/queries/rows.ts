import type { BlobId } from "@dsm/protocol";
import { and, eq, getTableColumns, gt, inArray, lt, type SQL } from "drizzle-orm";
import type { GroupRow, UserRow, VersionKey, VersionRow } from "../catalog.ts";
import type { RowOf } from "../decode.ts";
import type { Dialect } from "../dialect.ts";
import { change } from "../script.ts";
import { isSegment } from "./marks.ts";
import type { Tables } from "../schema/define.ts";

type StoredVersion = RowOf<Tables["versions"]["_"]["columns"]>;

/** The rows with these ids, in any order. */
export async function rowsOf(dialect: Dialect, ids: readonly BlobId[]): Promise<VersionRow[]> {
  if (ids.length === 0) return [];
  const { versions } = dialect.tables;
  const rows = await dialect.read(`look up ${ids.length} versions`, () =>
    dialect.db
      .select()
      .from(versions)
      .where(inArray(versions.id, [...ids])),
  );
  return rows.map(versionOf);
}

/**
 * All versions by key. Each page is made of up to three ranges of the primary key, for no
 * database but SQLite finds the way from `(user, file_id, version) > (…)` to that index.
 */
export async function listVersions(
  dialect: Dialect,
  { after, limit }: { readonly after?: VersionKey; readonly limit: number },
): Promise<VersionRow[]> {
  const { versions } = dialect.tables;
  const { user, fileId, version } = versions;
  const ranges: Array<SQL | undefined> =
    after === undefined
      ? [undefined]
      : [
          and(eq(user, after.user), eq(fileId, after.fileId), gt(version, after.version)),
          and(eq(user, after.user), gt(fileId, after.fileId)),
          gt(user, after.user),
        ];
  const page: StoredVersion[] = [];
  for (const range of ranges) {
    if (page.length >= limit) break;
    const more = await dialect.read("list versions", () =>
      dialect.db
        .select()
        .from(versions)
        .where(range)
        .orderBy(user, fileId, version)
        .limit(limit - page.length),
    );
    page.push(...more);
  }
  return page.map(versionOf);
}

export async function listSegments(
  dialect: Dialect,
): Promise<Array<{ name: string; next: number }>> {
  const { idSegments } = dialect.tables;
  return dialect.read("list the segments", () =>
    dialect.db.select().from(idSegments).where(isSegment(dialect)).orderBy(idSegments.name),
  );
}

interface Rows {
  readonly groups?: readonly GroupRow[];
  readonly users?: readonly UserRow[];
  readonly versions?: readonly VersionRow[];
  readonly segments?: ReadonlyArray<{ readonly name: string; readonly next: number }>;
}

/** In one transaction; a row that is there already stays, and a segment is only moved on. */
export async function loadRows(dialect: Dialect, rows: Rows): Promise<void> {
  const { groups, users, versions, idSegments } = dialect.tables;
  const { groups: newGroups = [], users: newUsers = [], versions: newVersions = [] } = rows;
  const { segments = [] } = rows;
  await dialect.atomic("load rows", function* () {
    yield* insertAll(dialect, "storage_groups", groups, newGroups, "storage_groups.name");
    yield* insertAll(dialect, "users", users, newUsers, "users.name");
    yield* insertAll(dialect, "versions", versions, newVersions, "versions.id");
    yield* insertAll(dialect, "id_segments", idSegments, segments, "id_segments.name");
    for (const { name, next } of segments) {
      yield* change(
        dialect.db
          .update(idSegments)
          .set({ next })
          .where(and(eq(idSegments.name, name), lt(idSegments.next, next))),
      );
    }
  });
}

type Table = Tables["groups" | "users" | "versions" | "idSegments"];

/** SQLite takes 32,766 values in a statement; a version has 15. */
const rowsPerStatement = 500;

function* insertAll(
  dialect: Dialect,
  name: string,
  table: Table,
  rows: readonly object[],
  anyColumn: string,
) {
  const columns = Object.entries(getTableColumns(table));
  for (let at = 0; at < rows.length; at += rowsPerStatement) {
    const part = rows.slice(at, at + rowsPerStatement);
    const row = `(${columns.map(() => "?").join(", ")})`;
    const text = `insert into ${name} (${columns.map(([, column]) => column.name).join(", ")})
      values ${part.map(() => row).join(", ")} ${dialect.ifAbsent(anyColumn)}`;
    const params = part.flatMap((values) =>
      columns.map(([key, column]) => {
        const value: unknown = (values as Record<string, unknown>)[key] ?? null;
        if (value === null) return null;
        return column.mapToDriverValue(typeof value === "boolean" ? Number(value) : value);
      }),
    );
    yield* change({ text, params });
  }
}

function versionOf(row: StoredVersion): VersionRow {
  const { deleted, modifiedAtMs, replaces, trashGroup, expiresAtMs, damage, ...always } = row;
  return {
    ...always,
    deleted: deleted === 1,
    ...(modifiedAtMs === null ? {} : { modifiedAtMs }),
    ...(replaces === null ? {} : { replaces }),
    ...(trashGroup === null ? {} : { trashGroup }),
    ...(expiresAtMs === null ? {} : { expiresAtMs }),
    ...(damage === null ? {} : { damage }),
  };
}

/** Whether nothing was ever written. */
export async function isEmpty(dialect: Dialect): Promise<boolean> {
  const { groups, users, versions, idSegments } = dialect.tables;
  for (const table of [groups, users, versions, idSegments]) {
    const which = table === idSegments ? isSegment(dialect) : undefined;
    const rows = await dialect.read("look whether it is empty", () =>
      dialect.db.select().from(table).where(which).limit(1),
    );
    if (rows.length > 0) return false;
  }
  return true;
}
