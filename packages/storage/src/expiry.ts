import type { Catalog, DeleteChange } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import { type FileInfo, limits } from "@dsm/protocol";
import type { Committer } from "./committer.ts";
import type { IdLease } from "./id-lease.ts";

export interface ExpiryWork {
  readonly group: string;
  readonly catalog: Pick<Catalog, "expired">;
  readonly ids: Pick<IdLease, "next">;
  readonly committer: Pick<Committer, "commit">;
  readonly clock: Clock;
}

/** Files of a group, or of one of its users, that have expired and are still to be deleted. */
export function overdueFiles(
  { catalog, group, clock }: ExpiryWork,
  limit: number,
  user?: string,
): Promise<FileInfo[]> {
  const query = { group, beforeMs: clock.now(), limit };
  return catalog.expired(user === undefined ? query : { ...query, user });
}

/**
 * Deletes them; they share one sync and one statement.
 * @param onDeleted told how many were not replaced meanwhile, also where others failed
 */
export async function deleteOverdue(
  work: ExpiryWork,
  files: readonly FileInfo[],
  onDeleted?: (count: number) => void,
): Promise<number> {
  const outcomes = await Promise.allSettled(files.map((file) => deleteFile(work, file)));
  const deleted = outcomes.filter((it) => it.status === "fulfilled" && it.value).length;
  onDeleted?.(deleted);
  const failure = outcomes.find((it) => it.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return deleted;
}

/**
 * Nobody can read what has expired, and until the reaper comes by it counts in the quota: so a
 * batch of it goes at once where a user would be refused for it.
 * @returns whether there is more room now
 */
export async function makeRoom(work: ExpiryWork, user: string): Promise<boolean> {
  const files = await overdueFiles(work, limits.reapBatchMax, user);
  return (await deleteOverdue(work, files)) > 0;
}

/** As any delete, so that the journals tell of it. @returns false when it was replaced meanwhile */
async function deleteFile(work: ExpiryWork, file: FileInfo): Promise<boolean> {
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
