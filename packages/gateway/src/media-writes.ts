import { type DsmClient, streamSource } from "@dsm/client";
import {
  announcedLength,
  assertNoPartialPut,
  assertWriteAllowed,
  parseHttpDate,
  type RequestInfo,
} from "@dsm/delivery";
import {
  DsmError,
  etagOf,
  expectedSha256,
  expiresAfterOf,
  type FileInfo,
  parseMediaTarget,
  reprDigestOf,
} from "@dsm/protocol";
import type { LocatedFiles } from "./located-files.ts";

type Located = Pick<LocatedFiles, "forget">;

/** PUT: 201 when the file is new, 200 when a version was replaced, with its metadata as JSON. */
export async function putMedia(
  client: DsmClient,
  located: Located,
  request: Request,
  { trailers }: Pick<RequestInfo, "trailers">,
): Promise<Response> {
  const { user, fileId } = parseMediaTarget(request.url);
  const { headers, signal } = request;
  assertNoPartialPut(headers);
  const ifMatch = await versionToChange(client, request, { user, fileId });
  const sha256 = expectedSha256(headers);
  const mediaType = headers.get("Content-Type") ?? undefined;
  const ttlMs = expiresAfterOf(headers);
  const uploaded = client.upload({
    user,
    fileId,
    source: streamSource(request.body ?? emptyBody(), announcedLength(headers)),
    overwrite: !refusesToReplace(headers),
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(trailers === undefined ? {} : { sha256AtEnd: () => expectedSha256(trailers()) }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    signal,
  });
  // Also when it failed: nobody may know then whether it is in force.
  const { file, created } = await uploaded.finally(() => located.forget(user, fileId));
  return Response.json(file, { status: created ? 201 : 200, headers: validators(file) });
}

/** DELETE: 204. */
export async function deleteMedia(
  client: DsmClient,
  located: Located,
  request: Request,
): Promise<Response> {
  const { user, fileId } = parseMediaTarget(request.url);
  const ifMatch = await versionToChange(client, request, { user, fileId });
  const deleted = client.delete({ user, fileId, ...(ifMatch === undefined ? {} : { ifMatch }) });
  await deleted.finally(() => located.forget(user, fileId));
  return new Response(null, { status: 204 });
}

/**
 * The If-Match of the write; undefined where any version will do. An If-Unmodified-Since is held
 * against the present version here, and the write is bound to that one: what happens to the file
 * in between must not go unseen.
 * @throws DsmError PRECONDITION_FAILED
 */
async function versionToChange(
  client: DsmClient,
  { headers, signal }: Request,
  name: { readonly user: string; readonly fileId: string },
): Promise<string | undefined> {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null) return ifMatch;
  if (parseHttpDate(headers.get("If-Unmodified-Since") ?? "") === undefined) return undefined;
  const current = await presentVersion(client, name, signal);
  if (current === undefined) return undefined;
  assertWriteAllowed(headers, current, name);
  return etagOf(current.sha256);
}

async function presentVersion(
  client: DsmClient,
  { user, fileId }: { readonly user: string; readonly fileId: string },
  signal: AbortSignal,
): Promise<FileInfo | undefined> {
  try {
    return await client.stat(user, fileId, { signal });
  } catch (error) {
    if (DsmError.from(error, "looking for the file").http === 404) return undefined;
    throw error;
  }
}

function refusesToReplace(headers: Headers): boolean {
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  throw new DsmError("BAD_REQUEST", "a PUT takes If-None-Match with * alone", {
    remedy: "use If-Match to replace one version",
  });
}

function validators(file: FileInfo): Record<string, string> {
  return { ETag: etagOf(file.sha256), "Repr-Digest": reprDigestOf(file.sha256) };
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
