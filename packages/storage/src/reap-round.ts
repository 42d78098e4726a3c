import type { Catalog, DeleteChange, TrashedBlob, TrashKey } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import { crashPoint } from "@dsm/faults";
import { type FileInfo, limits } from "@dsm/protocol";
import type { BlobStore } from "./blob-store.ts";
import type { Committer } from "./committer.ts";
import type { IdLease } from "./id-lease.ts";
import type { ReapPace } from "./reap-pace.ts";

/** What a reaper has done. */
export interface ReapCounts {
  /** Files that had expired and were deleted. */
  readonly expired: number;
  /** Blobs of the trash that were unlinked. */
  readonly blobs: number;
  readonly bytes: number;
}

export interface ReapWork {
  readonly group: string;
  readonly catalog: Pick<Catalog, "expired" | "trashed" | "forgetTrashed">;
  readonly blobs: Pick<BlobStore, "remove">;
  readonly ids: Pick<IdLease, "next">;
  readonly committer: Pick<Committer, "commit">;
  readonly trashGraceMs: number;
  readonly clock: Clock;
}

/** Whether there is anything to do for now. */
export async function isDue(work: ReapWork): Promise<boolean> {
  return (await dueFiles(work, 1)).length > 0 || (await dueBlobs(work, 1)).length > 0;
}

/**
 * Deletes what has expired and unlinks what was in the trash for long enough, until nothing is
 * due. Every step may be done by several members at once, and again after a crash at any point.
 * @throws the signal's reason when it is aborted
 */
export async function reapRound(
  work: ReapWork,
  pace: ReapPace,
  signal: AbortSignal,
  onCounts: (counts: Partial<ReapCounts>) => void,
): Promise<void> {
  // Entries may stay that wait for another group's trash, any number of them and for as long as
  // that group is away: so the next batch is what stands behind the last, whatever became of it.
  let after: TrashKey | undefined;
  // In turns, so that neither waits for the end of a long backlog of the other.
  for (;;) {
    const moreExpired = await deleteExpired(work, pace, signal, onCounts);
    const due = await dueBlobs(work, limits.reapBatchMax, after);
    for (const blob of due) onCounts(await unlink(work, pace, signal, blob));
    after = due.at(-1) ?? after;
    if (!moreExpired && due.length < limits.reapBatchMax) return;
  }
}

/** A batch of them, which share one sync and one statement. @returns whether there may be more */
async function deleteExpired(
  work: ReapWork,
  pace: ReapPace,
  signal: AbortSignal,
  onCounts: (counts: Partial<ReapCounts>) => void,
): Promise<boolean> {
  const files = await dueFiles(work, limits.reapBatchMax);
  if (files.length === 0) return false;
  await pace.turn(signal);
  const outcomes = await Promise.allSettled(files.map((file) => deleteFile(work, file)));
  const deleted = outcomes.filter((it) => it.status === "fulfilled" && it.value).length;
  onCounts({ expired: deleted });
  const failure = outcomes.find((it) => it.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  pace.done({ count: files.length, bytes: 0, diskMs: 0 });
  return deleted > 0 && files.length === limits.reapBatchMax;
}

/** As any delete, so that the journals tell of it. @returns false when it was replaced meanwhile */
async function deleteFile(work: ReapWork, file: FileInfo): Promise<boolean> {
  const { user, fileId, group, version, blobId } = file;
  const change: DeleteChange = {
    kind: "delete",
    user,
    fileId,
    group,
    id: await work.ids.next(),
    version: version + 1,
    replaces: blobId,
    atMs: work.clock.now(),
  };
  return (await work.committer.commit(change)) === "in force";
}

async function unlink(
  work: ReapWork,
  pace: ReapPace,
  signal: AbortSignal,
  blob: TrashedBlob,
): Promise<Partial<ReapCounts>> {
  await pace.turn(signal);
  const beganMs = work.clock.monotonicMs();
  // The bytes go before the row: a crash between the two is mended by the next round.
  const wasThere = await work.blobs.remove(blob.blobId);
  const diskMs = work.clock.monotonicMs() - beganMs;
  crashPoint("reaper.unlinked");
  await work.catalog.forgetTrashed(blob);
  crashPoint("reaper.forgotten");
  const { sizeBytes } = blob;
  pace.done({ bytes: wasThere ? sizeBytes : 0, diskMs });
  // An entry that has to stay comes again in each round, and its bytes came back in the first.
  return wasThere ? { blobs: 1, bytes: sizeBytes } : {};
}

function dueFiles({ catalog, group, clock }: ReapWork, limit: number): Promise<FileInfo[]> {
  return catalog.expired({ group, beforeMs: clock.now(), limit });
}

function dueBlobs(
  { catalog, group, clock, trashGraceMs }: ReapWork,
  limit: number,
  after?: TrashKey,
): Promise<TrashedBlob[]> {
  const query = { group, beforeMs: clock.now() - trashGraceMs, limit };
  return catalog.trashed(after === undefined ? query : { ...query, after });
}
