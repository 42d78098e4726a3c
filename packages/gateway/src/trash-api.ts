import type { DsmClient } from "@dsm/client";
import {
  expiresAfterOf,
  isBlobId,
  limits,
  parseFileTarget,
  parseRestoreRequest,
  type TrashPage,
} from "@dsm/protocol";
import { badParameter, pageQuery } from "./api-query.ts";
import { jsonBody } from "./json-body.ts";
import type { LocatedFiles } from "./located-files.ts";

type Located = Pick<LocatedFiles, "forget">;

const trashPrefix = "/api/v1/trash/";
const listUsage = "/api/v1/trash?user=U&prefix=P&limit=N&after=BLOBID";

/** GET /api/v1/trash: a page of what of a user can be restored, oldest first. */
export function listTrash(client: DsmClient, query: URLSearchParams): Promise<TrashPage> {
  const { after, ...page } = pageQuery(query, listUsage);
  if (after === undefined) return client.trash(page);
  if (!isBlobId(after)) throw badParameter("after", "must be a blob id", listUsage);
  return client.trash({ ...page, after });
}

/** POST /api/v1/trash/{user}/{fileId}: 201 where there was no file of that name, else 200. */
export async function restoreTrashed(
  client: DsmClient,
  located: Located,
  request: Request,
): Promise<Response> {
  const { user, fileId } = parseFileTarget(request.url, trashPrefix);
  const ttlMs = expiresAfterOf(request.headers);
  const body = await jsonBody(request, limits.apiBodyMaxBytes);
  const { blob, as, overwrite } = parseRestoreRequest(body);
  const restored = client.restore({
    user,
    fileId,
    ...(blob === undefined ? {} : { blobId: blob }),
    ...(as === undefined ? {} : { as }),
    ...(overwrite === undefined ? {} : { overwrite }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    signal: request.signal,
  });
  // Also when it failed: nobody may know then whether it is in force.
  const { file, created } = await restored.finally(() => located.forget(user, as ?? fileId));
  return Response.json(file, { status: created ? 201 : 200 });
}

/** DELETE /api/v1/trash/{user}/{fileId}: all versions of it in the trash are unlinked now. */
export async function emptyTrashed(client: DsmClient, request: Request): Promise<Response> {
  const { user, fileId } = parseFileTarget(request.url, trashPrefix);
  return Response.json(await client.emptyTrash({ user, fileId, signal: request.signal }));
}
