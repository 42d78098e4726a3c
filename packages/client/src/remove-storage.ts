import { DsmError } from "@dsm/protocol";
import type { RpcResult } from "@dsm/rpc";

/**
 * Each tracker has a memory of its own, so all of them must have forgotten the storage.
 * @throws DsmError of a tracker that has not; MEMBER_NOT_FOUND where none knew it
 */
export function assertRemoved(
  storageId: string,
  results: ReadonlyArray<RpcResult<"remove">>,
): void {
  for (const { endpoint, error } of results) {
    if (error === undefined) continue;
    throw new DsmError(
      error.code,
      `tracker ${endpoint} still has storage ${storageId}: ${error.message}`,
      {
        remedy: error.remedy ?? "a tracker that was started anew knows only who lives: try again",
        cause: error,
      },
    );
  }
  if (results.some(({ response }) => response?.known === true)) return;
  throw new DsmError("MEMBER_NOT_FOUND", `no tracker knows a storage ${storageId}`, {
    remedy: "see dsm status for those that there are",
  });
}
