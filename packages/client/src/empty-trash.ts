import {
  DsmError,
  type Emptied,
  emptiedSchema,
  type FileInfo,
  limits,
  type Location,
  trashPath,
} from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";
import { FailedStorages } from "./failed-storages.ts";
import type { LocateOptions } from "./known-storages.ts";
import { StallGuard } from "./stall-guard.ts";
import { answerOf, askStorage } from "./storage-http.ts";
import type { StorageRests } from "./storage-rests.ts";
import type { Surroundings } from "./surroundings.ts";
import { notInTrash, type TrashListPort, trashPages } from "./trash-list.ts";

export interface EmptyRequest {
  readonly user: string;
  /** All versions of this file; everything of the user unless given. */
  readonly fileId?: string;
  /** Told what was removed so far. */
  readonly onProgress?: (removed: Pick<Emptied, "blobs" | "bytes">) => void;
  readonly signal?: AbortSignal;
}

export interface EmptyPorts extends TrashListPort {
  readonly rests: StorageRests;
  readonly surroundings: Surroundings;
  locateForDelete(user: string, fileId: string, options?: LocateOptions): Promise<Location>;
}

/**
 * Unlinks what lies in the trash now, without waiting for its grace to end. It cannot be brought
 * back. A version that stands on an older one which is in the trash as well goes behind that one,
 * so where their ids are in another order than their versions it takes a second look.
 * @returns what was removed, and what is left because others put it there meanwhile
 * @throws DsmError FILE_NOT_FOUND where that file is not in the trash, USER_NOT_FOUND, …
 */
export async function emptyTrash(ports: EmptyPorts, request: EmptyRequest): Promise<Emptied> {
  const { user, fileId, onProgress } = request;
  const total = { blobs: 0, bytes: 0 };
  for (let isFirst = true; ; isFirst = false) {
    const before = total.blobs;
    let seen = 0;
    let kept = 0;
    for await (const page of trashPages(ports, user, fileId)) {
      seen += page.length;
      await atOnce(limits.emptyRequestsMax, batchesOf(page), async (batch) => {
        const emptied = await emptyBatch(ports, batch, request.signal);
        total.blobs += emptied.blobs;
        total.bytes += emptied.bytes;
        kept += emptied.kept;
        onProgress?.(total);
      });
    }
    if (isFirst && seen === 0 && fileId !== undefined) throw notInTrash(user, fileId);
    if (kept === 0 || total.blobs === before) return { ...total, kept };
  }
}

/** Versions of one file in one group together, the oldest first. */
function batchesOf(page: ReadonlyArray<{ readonly file: FileInfo }>): FileInfo[][] {
  const files = page.map(({ file }) => file);
  const places = Map.groupBy(files, ({ group, fileId }) => `${group}/${fileId}`);
  return [...places.values()].flatMap((versions) => {
    const inOrder = versions.toSorted((a, b) => a.version - b.version);
    const starts = Array.from(
      { length: Math.ceil(inOrder.length / limits.emptyBatchMax) },
      (_, n) => n * limits.emptyBatchMax,
    );
    return starts.map((start) => inOrder.slice(start, start + limits.emptyBatchMax));
  });
}

/** Done again it removes what is left, so an answer that was lost costs only its count. */
async function emptyBatch(
  ports: EmptyPorts,
  batch: readonly FileInfo[],
  signal: AbortSignal | undefined,
): Promise<Emptied> {
  const { surroundings } = ports;
  const failed = new FailedStorages(ports.rests);
  const [first] = batch;
  if (first === undefined) return { blobs: 0, bytes: 0, kept: 0 };
  const { user, fileId, group } = first;
  const query = batch.map(({ blobId }) => `blob=${blobId}`).join("&");
  return withAttempts(
    async (number) => {
      const location = await ports.locateForDelete(user, fileId, {
        elsewhere: number > 1,
        group,
      });
      const storage = failed.order(location)[0];
      if (storage === undefined) throw new DsmError("GROUP_UNAVAILABLE", "no storage was named");
      const what = `storage ${storage.storageId}`;
      using guard = new StallGuard(what, limits.writeStallMs, surroundings.clock, signal);
      try {
        const response = await askStorage(
          surroundings.fetch,
          storage,
          `${trashPath(user, fileId)}?${query}`,
          {
            method: "DELETE",
            headers: { Authorization: `Bearer ${location.capability}` },
            signal: guard.signal,
          },
        );
        return await answerOf(storage, response, emptiedSchema);
      } catch (error) {
        failed.note(storage, error);
        throw error;
      }
    },
    { surroundings, signal },
  );
}

/** So many under way at the same time. After a failure none is begun, and those under way end. */
async function atOnce<T>(
  count: number,
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  let isStopped = false;
  const workers = Array.from({ length: count }, async () => {
    for (const item of left) {
      if (isStopped) return;
      await act(item).catch((error: unknown) => {
        isStopped = true;
        throw error;
      });
    }
  });
  const failure = (await Promise.allSettled(workers)).find((it) => it.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
