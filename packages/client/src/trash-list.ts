import {
  type BlobId,
  DsmError,
  limits,
  type RequestOf,
  type TrashedFile,
  type TrashPage,
} from "@dsm/protocol";

export interface TrashListPort {
  trash(query: RequestOf<"trash">): Promise<TrashPage>;
}

/** What of a user lies in the trash, a page at a time; of one file where it is named. */
export async function* trashPages(
  port: TrashListPort,
  user: string,
  fileId?: string,
): AsyncGenerator<TrashedFile[]> {
  let after: BlobId | undefined;
  do {
    const { blobs, next } = await port.trash({
      user,
      limit: limits.listMax,
      ...(fileId === undefined ? {} : { prefix: fileId }),
      ...(after === undefined ? {} : { after }),
    });
    yield fileId === undefined ? blobs : blobs.filter(({ file }) => file.fileId === fileId);
    after = next;
  } while (after !== undefined);
}

/**
 * The blob that is asked for, else the newest version of the file in the trash.
 * @throws DsmError FILE_NOT_FOUND or USER_NOT_FOUND
 */
export async function findTrashed(
  port: TrashListPort,
  { user, fileId, blobId }: { user: string; fileId: string; blobId?: BlobId | undefined },
): Promise<TrashedFile> {
  let newest: TrashedFile | undefined;
  for await (const page of trashPages(port, user, fileId)) {
    for (const entry of page) {
      if (blobId !== undefined && entry.file.blobId !== blobId) continue;
      if (entry.file.version > (newest?.file.version ?? 0)) newest = entry;
    }
  }
  if (newest !== undefined) return newest;
  throw notInTrash(user, fileId, blobId);
}

export function notInTrash(user: string, fileId: string, blobId?: BlobId): DsmError {
  const what = `${blobId === undefined ? "" : `blob ${blobId} of `}${JSON.stringify(fileId)}`;
  return new DsmError("FILE_NOT_FOUND", `${what} of user ${user} is not in the trash`, {
    remedy: `see dsm trash list --user ${user}; it stays there for trash_grace`,
  });
}
