import {
  type BlobId,
  DsmError,
  expiresAfterHeader,
  expiresAfterText,
  type FileInfo,
  fileInfoSchema,
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
import { findTrashed, type TrashListPort } from "./trash-list.ts";
import { isRefusal, setConditions, type Uploaded } from "./upload.ts";

export interface RestoreRequest {
  readonly user: string;
  /** As it was named when it came into the trash. */
  readonly fileId: string;
  /** Which of its versions; the newest one in the trash unless given. */
  readonly blobId?: BlobId;
  /** The name that it gets; the one that it had unless given. */
  readonly as?: string;
  /** Replace a file that has that name now; else that is an error. */
  readonly overwrite?: boolean;
  /**
   * As UploadRequest.ttlMs. Without it the file keeps an expiry that is still ahead, and loses one
   * that has passed.
   */
  readonly ttlMs?: number;
  readonly signal?: AbortSignal;
}

export interface RestorePorts extends TrashListPort {
  readonly rests: StorageRests;
  readonly surroundings: Surroundings;
  locateForWrite(user: string, fileId: string, options?: LocateOptions): Promise<Location>;
  stat(user: string, fileId: string): Promise<FileInfo>;
}

/**
 * Makes a file of what lies in the trash, as a new version. No bytes are copied.
 * @throws DsmError FILE_NOT_FOUND where it is not in the trash, FILE_EXISTS, QUOTA_EXCEEDED, …
 */
export async function restoreFile(ports: RestorePorts, request: RestoreRequest): Promise<Uploaded> {
  const { user, fileId, as = fileId, signal } = request;
  const { surroundings } = ports;
  const { file: trashed } = await findTrashed(ports, request);
  const failed = new FailedStorages(ports.rests);
  let inDoubt = false;
  return withAttempts(
    async (number) => {
      // Where its bytes are: a user who has moved since has new files in another group.
      const { group } = trashed;
      const location = await ports.locateForWrite(user, as, { elsewhere: number > 1, group });
      const storage = failed.order(location)[0];
      if (storage === undefined) throw new DsmError("GROUP_UNAVAILABLE", "no storage was named");
      const what = `storage ${storage.storageId}`;
      using guard = new StallGuard(what, limits.writeStallMs, surroundings.clock, signal);
      try {
        const path = `${trashPath(user, as)}?blob=${trashed.blobId}`;
        const headers = headersOf(request, location.capability);
        // As for a delete: it must not be sent again behind our back.
        const init = { method: "POST", headers, signal: guard.signal, keepalive: false };
        const response = await askStorage(surroundings.fetch, storage, path, init);
        const file = await answerOf(storage, response, fileInfoSchema);
        return { file, created: response.status === 201 };
      } catch (error) {
        failed.note(storage, error);
        // An earlier try whose answer was lost may have done it.
        const own = inDoubt && isRefusal(error) ? await sameBytes(ports, trashed, as) : undefined;
        if (own !== undefined) return { file: own, created: true };
        inDoubt = true;
        throw error;
      }
    },
    { surroundings, signal },
  );
}

function headersOf(request: RestoreRequest, capability: string): Headers {
  const headers = new Headers({ Authorization: `Bearer ${capability}` });
  if (request.ttlMs !== undefined) {
    headers.set(expiresAfterHeader, expiresAfterText(request.ttlMs));
  }
  setConditions(headers, request);
  return headers;
}

async function sameBytes(
  ports: RestorePorts,
  trashed: FileInfo,
  fileId: string,
): Promise<FileInfo | undefined> {
  const file = await ports.stat(trashed.user, fileId).catch((error: unknown) => {
    if (error instanceof DsmError && error.code === "FILE_NOT_FOUND") return undefined;
    throw error;
  });
  return file?.sha256 === trashed.sha256 ? file : undefined;
}
