import { DsmError, limits, type Location, mediaPath } from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";
import { FailedStorages } from "./failed-storages.ts";
import type { LocateOptions } from "./known-storages.ts";
import { StallGuard } from "./stall-guard.ts";
import { askStorage } from "./storage-http.ts";
import type { StorageRests } from "./storage-rests.ts";
import type { Surroundings } from "./surroundings.ts";

export interface DeleteRequest {
  readonly user: string;
  readonly fileId: string;
  /** Delete only this version; an ETag with its quotes. */
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

export interface DeletePorts {
  readonly rests: StorageRests;
  readonly surroundings: Surroundings;
  locateForDelete(user: string, fileId: string, options?: LocateOptions): Promise<Location>;
}

/** @throws DsmError FILE_NOT_FOUND, PRECONDITION_FAILED, GROUP_UNAVAILABLE, … */
export async function deleteFile(ports: DeletePorts, request: DeleteRequest): Promise<void> {
  const { user, fileId, ifMatch, signal } = request;
  const { surroundings } = ports;
  const { clock, fetch } = surroundings;
  const failed = new FailedStorages(ports.rests);
  let inDoubt = false;
  await withAttempts(
    async (number) => {
      const location = await ports.locateForDelete(user, fileId, { elsewhere: number > 1 });
      const storage = failed.order(location)[0];
      if (storage === undefined) throw new DsmError("GROUP_UNAVAILABLE", "no storage was named");
      const what = `storage ${storage.storageId}`;
      using guard = new StallGuard(what, limits.writeStallMs, clock, signal);
      try {
        const headers = new Headers({ Authorization: `Bearer ${location.capability}` });
        if (ifMatch !== undefined) headers.set("If-Match", ifMatch);
        // Bun's fetch sends it again by itself when a connection that was used before breaks, and
        // a delete that was done would then be told that there is no such file.
        const init = { method: "DELETE", headers, signal: guard.signal, keepalive: false };
        await askStorage(fetch, storage, mediaPath(user, fileId), init);
      } catch (error) {
        failed.note(storage, error);
        // An earlier try whose answer was lost may have done it: then gone is what was asked for.
        if (inDoubt && error instanceof DsmError && error.code === "FILE_NOT_FOUND") return;
        inDoubt = true;
        throw error;
      }
    },
    { surroundings, signal },
  );
}
