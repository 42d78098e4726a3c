import { type BlobId, type FileInfo, limits, type TrashedFile } from "@dsm/protocol";
import { and, eq, gt, gte, inArray, isNotNull, lt, lte, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { KnownBlob, TrashQuery } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import { fileColumns, fileOf } from "./file-columns.ts";
import { isNewest } from "./newest.ts";
import { prefixEnd } from "./prefix-end.ts";

interface BlobQuery {
  readonly group: string;
  readonly after?: BlobId;
  readonly limit: number;
}

/** Every blob of a group, by its id. */
export function knownBlobs(dialect: Dialect, query: BlobQuery): Promise<KnownBlob[]> {
  return blobsWhere(dialect, query, undefined);
}

/** Those of them that are marked as damaged. */
export function damagedBlobs(dialect: Dialect, query: BlobQuery): Promise<KnownBlob[]> {
  return blobsWhere(dialect, query, isNotNull(dialect.tables.versions.damage));
}

/** What is known of some blobs, whatever their group. */
export async function blobsOf(dialect: Dialect, ids: readonly BlobId[]): Promise<KnownBlob[]> {
  if (ids.length === 0) return [];
  const { versions } = dialect.tables;
  const isOne = and(inArray(versions.id, [...ids]), eq(versions.deleted, 0));
  return selectBlobs(dialect, `look up ${ids.length} blobs`, isOne, ids.length);
}

function blobsWhere(
  dialect: Dialect,
  { group, after, limit }: BlobQuery,
  condition: SQL | undefined,
): Promise<KnownBlob[]> {
  const { versions } = dialect.tables;
  const isOne = and(
    eq(versions.group, group),
    eq(versions.deleted, 0),
    after === undefined ? undefined : gt(versions.id, after),
    condition,
  );
  return selectBlobs(dialect, `list the blobs of group ${group}`, isOne, limit);
}

async function selectBlobs(
  dialect: Dialect,
  doing: string,
  isOne: SQL | undefined,
  limit: number,
): Promise<KnownBlob[]> {
  const { versions } = dialect.tables;
  const live = sql<number>`${isNewest(dialect)}`.mapWith(Number);
  const rows = await dialect.read(doing, () =>
    dialect.db
      .select({ ...fileColumns(versions), live })
      .from(versions)
      .where(isOne)
      .orderBy(versions.id)
      .limit(limit),
  );
  return rows.map(({ live: isLive, ...row }) => ({
    file: fileOf(row),
    state: isLive === 1 ? "live" : "trash",
  }));
}

/** Blobs of a user in the trash whose bytes may still be there, by id. */
export async function trashOfUser(
  dialect: Dialect,
  query: { user: string; prefix?: string; after?: BlobId; limit: number },
): Promise<TrashedFile[]> {
  const { user, prefix = "", after, limit } = query;
  const { versions } = dialect.tables;
  // The same columns under another name, which only their types tell apart.
  const old = alias(versions, "old") as unknown as typeof versions;
  const end = prefixEnd(prefix);
  const rows = await dialect.read(`list the trash of ${user}`, () =>
    dialect.db
      .select({
        ...fileColumns(old),
        trashedAtMs: versions.atMs,
        trashedByDelete: versions.deleted,
      })
      .from(versions)
      .innerJoin(old, eq(old.id, versions.replaces))
      .where(
        and(
          eq(versions.user, user),
          isNotNull(versions.trashGroup),
          gte(versions.fileId, prefix),
          end === undefined ? undefined : lt(versions.fileId, end),
          after === undefined ? undefined : gt(old.id, after),
        ),
      )
      .orderBy(old.id)
      .limit(limit),
  );
  return rows.map(({ trashedAtMs, trashedByDelete, ...row }) => ({
    file: fileOf(row),
    trashedAtMs,
    wasDeleted: trashedByDelete === 1,
  }));
}

/** Live files of a group that had expired at a time, soonest first. */
export async function expiredFiles(
  dialect: Dialect,
  query: TrashQuery & { readonly user?: string },
): Promise<FileInfo[]> {
  const { versions } = dialect.tables;
  const { group, user, beforeMs, limit } = query;
  const rows = await dialect.read(`list the expired files of group ${group}`, () =>
    dialect.db
      .select(fileColumns(versions))
      .from(versions)
      .where(
        and(
          eq(versions.group, group),
          isNotNull(versions.expiresAtMs),
          lte(versions.expiresAtMs, beforeMs),
          user === undefined ? undefined : eq(versions.user, user),
          eq(versions.deleted, 0),
          isNewest(dialect),
        ),
      )
      .orderBy(versions.expiresAtMs)
      .limit(limit),
  );
  return rows.map(fileOf);
}

/** Blobs of a user, live or in the trash, with exactly these bytes. */
export async function blobsWith(
  dialect: Dialect,
  user: string,
  sha256: string,
): Promise<FileInfo[]> {
  const { versions } = dialect.tables;
  const rows = await dialect.read(`look for equal blobs of ${user}`, () =>
    dialect.db
      .select(fileColumns(versions))
      .from(versions)
      .where(and(eq(versions.user, user), eq(versions.sha256, sha256), eq(versions.deleted, 0)))
      .limit(limits.listMax),
  );
  return rows.map(fileOf);
}

export async function markDamage(
  dialect: Dialect,
  blobId: BlobId,
  damage: string | undefined,
): Promise<void> {
  const { versions } = dialect.tables;
  await dialect.write(
    `mark blob ${blobId}`,
    dialect.db
      .update(versions)
      .set({ damage: damage ?? null })
      .where(eq(versions.id, blobId)),
  );
}
