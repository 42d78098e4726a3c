import type { RequestInfo } from "@dsm/delivery";
import {
  type BlobId,
  type ClusterSecret,
  DsmError,
  etagOf,
  expiresAfterOf,
  isBlobId,
  limits,
  parseTrashTarget,
  reprDigestOf,
} from "@dsm/protocol";
import { shownCapability } from "./shown-capability.ts";
import type { TrashBin } from "./trash-bin.ts";
import { writeCheck } from "./write-check.ts";

export interface TrashAppOptions {
  readonly secret: ClusterSecret;
  readonly group: string;
  readonly trash: Pick<TrashBin, "restore" | "empty">;
  /** Throws when this storage takes no new bytes: it is full, or it stops. */
  readonly admitWrite: (announcedBytes: number | undefined) => void;
}

/**
 * `POST /trash/{user}/{fileId}?blob=ID` on the data port: a blob of the user in the trash becomes
 * the file of that name, under the conditions and with the headers of a PUT.
 */
export async function restore(
  options: TrashAppOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const target = parseTrashTarget(request.url);
  shownCapability(options, { request, info, target, intent: "write" });
  const { user, fileId, query } = target;
  const { headers } = request;
  const [blobId, ...more] = blobsOf(query);
  if (blobId === undefined || more.length > 0) throw badBlobs("name one blob to restore");
  const ttlMs = expiresAfterOf(headers);
  options.admitWrite(0);
  const { file, created } = await options.trash.restore({
    user,
    fileId,
    blobId,
    ttlMs,
    check: writeCheck(request, { user, fileId }),
  });
  return Response.json(file, {
    status: created ? 201 : 200,
    headers: { ETag: etagOf(file.sha256), "Repr-Digest": reprDigestOf(file.sha256) },
  });
}

/** `DELETE /trash/{user}/{fileId}?blob=ID&blob=ID…`: these versions of it are unlinked now. */
export async function empty(
  options: TrashAppOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const target = parseTrashTarget(request.url);
  shownCapability(options, { request, info, target, intent: "delete" });
  const { user, fileId, query } = target;
  const blobIds = blobsOf(query);
  if (blobIds.length === 0 || blobIds.length > limits.emptyBatchMax) {
    throw badBlobs(`name 1 to ${limits.emptyBatchMax} blobs`);
  }
  return Response.json(await options.trash.empty(user, fileId, blobIds));
}

function blobsOf(query: URLSearchParams): BlobId[] {
  return query.getAll("blob").map((id) => {
    if (isBlobId(id)) return id;
    throw badBlobs("a blob id has 16 hex digits");
  });
}

function badBlobs(remedy: string): DsmError {
  return new DsmError("BAD_REQUEST", "the parameter blob is wrong", { remedy });
}
