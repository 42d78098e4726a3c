import type { Catalog, TrashedBlob, TrashKey } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import { limits } from "@dsm/protocol";
import type { BlobStore } from "./blob-store.ts";
import { deleteOverdue, type ExpiryWork, overdueFiles } from "./expiry.ts";
import type { ReapPace } from "./reap-pace.ts";

/** What a reaper has done. */
export interface ReapCounts {
  /** Files that had expired and were deleted. */
  readonly expired: number;
  /** Blobs of the trash that were unlinked. */
  readonly blobs: number;
  readonly bytes: number;
}

export interface ReapWork extends ExpiryWork {
  readonly catalog: Pick<Catalog, "expired" | "trashed" | "forgetTrashed">;
  readonly blobs: Pick<BlobStore, "remove">;
  readonly trashGraceMs: number;
}

/** Whether there is anything to do for now. */
export async function isDue(work: ReapWork): Promise<boolean> {
  return (await overdueFiles(work, 1)).length > 0 || (await dueBlobs(work, 1)).length > 0;
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
  const files = await overdueFiles(work, limits.reapBatchMax);
  if (files.length === 0) return false;
  await pace.turn(signal);
  const deleted = await deleteOverdue(work, files, (expired) => onCounts({ expired }));
  pace.done({ count: files.length, bytes: 0, diskMs: 0 });
  return deleted > 0 && files.length === limits.reapBatchMax;
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

function dueBlobs(
  { catalog, group, clock, trashGraceMs }: ReapWork,
  limit: number,
  after?: TrashKey,
): Promise<TrashedBlob[]> {
  const query = { group, beforeMs: clock.now() - trashGraceMs, limit };
  return catalog.trashed(after === undefined ? query : { ...query, after });
}
