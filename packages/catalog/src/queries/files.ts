import { DsmError, limits } from "@dsm/protocol";
import { and, desc, eq, gt, gte, isNull, lt, or, sql } from "drizzle-orm";
import type { Catalog, ListPage, ListQuery } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import { hotRead } from "../hot-read.ts";
import { fileColumns, fileOf } from "./file-columns.ts";
import { isNewest } from "./newest.ts";
import { prefixEnd } from "./prefix-end.ts";

export type Current = Catalog["current"];

export function prepareCurrent(dialect: Dialect): Current {
  const { versions } = dialect.tables;
  const columns = { ...fileColumns(versions), deleted: versions.deleted };
  const query = dialect.db
    .select(columns)
    .from(versions)
    .where(
      and(
        eq(versions.user, sql.placeholder("user")),
        eq(versions.fileId, sql.placeholder("fileId")),
      ),
    )
    .orderBy(desc(versions.version))
    .limit(1);
  const run = hotRead(dialect, columns, query);
  return async (user, fileId, options) => {
    const [row] = await run(`look up ${user}/${fileId}`, { user, fileId }, options);
    if (row === undefined) return undefined;
    const { deleted, ...rest } = row;
    const { version, atMs, modifiedAtMs } = rest;
    if (deleted === 1) return { version };
    return { version, file: fileOf(rest), ...(modifiedAtMs === null ? {} : { movedAtMs: atMs }) };
  };
}

/** @throws DsmError BAD_REQUEST for a limit out of range, or text that is not valid Unicode */
export async function listFiles(dialect: Dialect, query: ListQuery): Promise<ListPage> {
  assertQuery(query);
  const { user, prefix = "", after, limit, nowMs } = query;
  const { versions } = dialect.tables;
  const end = prefixEnd(prefix);
  // One more than asked for tells whether there is a next page.
  const rows = await dialect.read(`list the files of ${user}`, () =>
    dialect.db
      .select(fileColumns(versions))
      .from(versions)
      .where(
        and(
          eq(versions.user, user),
          gte(versions.fileId, prefix),
          end === undefined ? undefined : lt(versions.fileId, end),
          after === undefined ? undefined : gt(versions.fileId, after),
          eq(versions.deleted, 0),
          or(isNull(versions.expiresAtMs), gt(versions.expiresAtMs, nowMs)),
          isNewest(dialect),
        ),
      )
      .orderBy(versions.fileId)
      .limit(limit + 1),
  );
  const files = rows.slice(0, limit).map(fileOf);
  const last = files.at(-1);
  return rows.length > limit && last !== undefined ? { files, next: last.fileId } : { files };
}

function assertQuery({ user, prefix = "", after = "", limit }: ListQuery): void {
  const doing = `cannot list the files of ${user}`;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.listMax) {
    throw new DsmError("BAD_REQUEST", `${doing}: the limit ${limit} is out of range`, {
      remedy: `ask for 1 to ${limits.listMax}`,
    });
  }
  if (!prefix.isWellFormed() || !after.isWellFormed()) {
    throw new DsmError("BAD_REQUEST", `${doing}: prefix or after is not valid Unicode`, {
      remedy: "send well-formed UTF-8",
    });
  }
}
