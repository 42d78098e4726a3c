import type { BlobId } from "@dsm/protocol";
import { and, desc, eq, gt, gte, isNotNull, isNull, lt, not, or, type SQL } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { TrashedBlob, TrashKey, TrashQuery } from "../catalog.ts";
import { decoderOf } from "../decode.ts";
import type { Dialect } from "../dialect.ts";
import { change, readRows, type ScriptRun } from "../script.ts";
import { addUsage, Usage } from "./usage.ts";

/**
 * Clocks of storages differ, so a version may seem older than the one it replaced. As long as
 * that one still has a blob of its own in the trash, it goes first.
 */
export async function trashedBlobs(
  dialect: Dialect,
  query: TrashQuery & { readonly after?: TrashKey },
): Promise<TrashedBlob[]> {
  const { versions } = dialect.tables;
  const { group, beforeMs, after, limit } = query;
  const old = alias(versions, "old");
  const rows = await dialect.read(`list the trash of group ${group}`, () =>
    dialect.db
      .select({
        blobId: versions.replaces,
        trashedBy: versions.id,
        atMs: versions.atMs,
        user: versions.user,
        fileId: versions.fileId,
        version: versions.version,
        sizeBytes: old.sizeBytes,
      })
      .from(versions)
      .leftJoin(old, eq(old.id, versions.replaces))
      .where(
        and(
          eq(versions.trashGroup, group),
          lt(versions.atMs, beforeMs),
          after === undefined ? undefined : isBehind(dialect, after),
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

/** The time stands by itself, for that is what databases find the way to the index from. */
function isBehind({ tables }: Dialect, after: TrashKey): SQL | undefined {
  const { atMs, user, fileId, version } = tables.versions;
  const isSameUser = eq(user, after.user);
  return and(
    gte(atMs, after.atMs),
    or(
      gt(atMs, after.atMs),
      gt(user, after.user),
      and(isSameUser, gt(fileId, after.fileId)),
      and(isSameUser, eq(fileId, after.fileId), gt(version, after.version)),
    ),
  );
}

/** The entry of one blob, and of which group's trash; undefined when it is in none. */
export async function trashEntryOf(
  dialect: Dialect,
  blobId: BlobId,
): Promise<(TrashedBlob & { trashGroup: string }) | undefined> {
  const { versions } = dialect.tables;
  const old = alias(versions, "old");
  const [row] = await dialect.read(`look for blob ${blobId} in the trash`, () =>
    dialect.db
      .select({
        trashedBy: versions.id,
        atMs: versions.atMs,
        user: versions.user,
        fileId: versions.fileId,
        version: versions.version,
        sizeBytes: old.sizeBytes,
        trashGroup: versions.trashGroup,
      })
      .from(old)
      .innerJoin(versions, and(eq(versions.user, old.user), eq(versions.fileId, old.fileId)))
      .where(
        and(eq(old.id, blobId), eq(versions.replaces, blobId), isNotNull(versions.trashGroup)),
      ),
  );
  return row?.trashGroup == null ? undefined : { ...row, blobId, trashGroup: row.trashGroup };
}

/**
 * Removes the row of the old version and the mark, and takes the bytes from the trash of the user,
 * in one transaction; done again it finds no mark and does nothing. The newest version of a file
 * always stays: design note 2026-11-22-versions-table.
 */
export async function forgetTrashed(dialect: Dialect, blob: TrashedBlob): Promise<void> {
  await dialect.atomic(`forget blob ${blob.blobId}`, function* () {
    const group = yield* markedGroup(dialect, blob);
    if (group === undefined) return;
    const old = yield* oldVersion(dialect, blob.blobId);
    // The old version itself replaced a blob that is still to be unlinked: come back later.
    if (old?.trashGroup != null) return;
    const { versions } = dialect.tables;
    yield* change(dialect.db.delete(versions).where(eq(versions.id, blob.blobId)));
    yield* sweepTombstones(dialect, blob);
    yield* change(
      dialect.db.update(versions).set({ trashGroup: null }).where(eq(versions.id, blob.trashedBy)),
    );
    const usage = new Usage();
    usage.add(blob.user, group, { trashBlobs: -1, trashBytes: -(old?.sizeBytes ?? 0) });
    yield* addUsage(dialect, usage);
  });
}

/** The group in whose trash the blob is; undefined when it was forgotten already. */
function* markedGroup(dialect: Dialect, blob: TrashedBlob): ScriptRun<string | undefined> {
  const { versions } = dialect.tables;
  const columns = { trashGroup: versions.trashGroup };
  const isMarked = and(
    eq(versions.id, blob.trashedBy),
    eq(versions.user, blob.user),
    eq(versions.fileId, blob.fileId),
    eq(versions.replaces, blob.blobId),
  );
  const query = dialect.db.select(columns).from(versions).where(isMarked);
  const [row] = (yield* readRows(query, dialect.locking)).map(decoderOf(columns));
  return row?.trashGroup ?? undefined;
}

function* oldVersion(dialect: Dialect, id: TrashedBlob["blobId"]) {
  const { versions } = dialect.tables;
  const columns = { trashGroup: versions.trashGroup, sizeBytes: versions.sizeBytes };
  const query = dialect.db.select(columns).from(versions).where(eq(versions.id, id));
  return (yield* readRows(query, dialect.locking)).map(decoderOf(columns))[0];
}

/** No blob replaces a tombstone, so those that a later version follows go with the next blob. */
function* sweepTombstones(dialect: Dialect, blob: TrashedBlob): ScriptRun<void> {
  const { versions } = dialect.tables;
  const ofFile = and(eq(versions.user, blob.user), eq(versions.fileId, blob.fileId));
  const columns = { version: versions.version };
  const query = dialect.db
    .select(columns)
    .from(versions)
    .where(ofFile)
    .orderBy(desc(versions.version))
    .limit(1);
  const [newest] = (yield* readRows(query)).map(decoderOf(columns));
  if (newest === undefined) return;
  const isDone = or(isNull(versions.trashGroup), eq(versions.id, blob.trashedBy));
  const isOld = and(ofFile, eq(versions.deleted, 1), lt(versions.version, newest.version), isDone);
  yield* change(dialect.db.delete(versions).where(isOld));
}
