import { and, desc, eq, gt, isNull, lt, not, or } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { TrashedBlob, TrashQuery } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";

/**
 * Clocks of storages differ, so a version may seem older than the one it replaced. As long as
 * that one still has a blob of its own in the trash, it goes first.
 */
export async function trashedBlobs(dialect: Dialect, query: TrashQuery): Promise<TrashedBlob[]> {
  const { versions } = dialect.tables;
  const { group, beforeMs, limit } = query;
  const old = alias(versions, "old");
  const rows = await dialect.read(`list the trash of group ${group}`, () =>
    dialect.db
      .select({
        blobId: versions.replaces,
        trashedBy: versions.id,
        atMs: versions.atMs,
        user: versions.user,
        fileId: versions.fileId,
        sizeBytes: old.sizeBytes,
      })
      .from(versions)
      .leftJoin(old, eq(old.id, versions.replaces))
      .where(
        and(
          eq(versions.trashGroup, group),
          lt(versions.atMs, beforeMs),
          or(isNull(old.trashGroup), not(gt(old.atMs, versions.atMs))),
        ),
      )
      .orderBy(versions.atMs, versions.user, versions.fileId, versions.version)
      .limit(limit),
  );
  // A mark without `replaces` is never written: see rowOf in commit.ts.
  return rows.flatMap((row) =>
    row.blobId === null ? [] : [{ ...row, blobId: row.blobId, sizeBytes: row.sizeBytes ?? 0 }],
  );
}

/**
 * Rows go before the mark, so that whatever a crash leaves undone is still marked. The newest
 * version of a file always stays: design note 2026-11-22-versions-table.
 */
export async function forgetTrashed(dialect: Dialect, blob: TrashedBlob): Promise<void> {
  const { versions } = dialect.tables;
  const { blobId, trashedBy, user, fileId } = blob;
  const doing = `forget blob ${blobId}`;
  const oldIsDone = and(eq(versions.id, blobId), isNull(versions.trashGroup));
  await dialect.write(doing, dialect.db.delete(versions).where(oldIsDone));
  // The old version itself replaced a blob that is still to be unlinked: come back later.
  if (await isThere(dialect, blobId, doing)) return;
  await sweepTombstones(dialect, blob, doing);
  const isMarked = and(
    eq(versions.id, trashedBy),
    eq(versions.user, user),
    eq(versions.fileId, fileId),
    eq(versions.replaces, blobId),
  );
  await dialect.write(doing, dialect.db.update(versions).set({ trashGroup: null }).where(isMarked));
}

async function isThere(dialect: Dialect, id: TrashedBlob["blobId"], doing: string) {
  const { versions } = dialect.tables;
  const rows = await dialect.read(doing, () =>
    dialect.db.select({ id: versions.id }).from(versions).where(eq(versions.id, id)),
  );
  return rows.length > 0;
}

/** No blob replaces a tombstone, so those that a later version follows go with the next blob. */
async function sweepTombstones(dialect: Dialect, blob: TrashedBlob, doing: string) {
  const { versions } = dialect.tables;
  const ofFile = and(eq(versions.user, blob.user), eq(versions.fileId, blob.fileId));
  const [newest] = await dialect.read(doing, () =>
    dialect.db
      .select({ version: versions.version })
      .from(versions)
      .where(ofFile)
      .orderBy(desc(versions.version))
      .limit(1),
  );
  if (newest === undefined) return;
  const isDone = or(isNull(versions.trashGroup), eq(versions.id, blob.trashedBy));
  const isOld = and(ofFile, eq(versions.deleted, 1), lt(versions.version, newest.version), isDone);
  await dialect.write(doing, dialect.db.delete(versions).where(isOld));
}
