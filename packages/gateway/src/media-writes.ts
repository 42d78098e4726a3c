import { type DsmClient, streamSource } from "@dsm/client";
import {
  DsmError,
  etagOf,
  expectedSha256,
  type FileInfo,
  parseMediaTarget,
  reprDigestOf,
} from "@dsm/protocol";

/** PUT: 201 when the file is new, 200 when a version was replaced, with its metadata as JSON. */
export async function putMedia(client: DsmClient, request: Request): Promise<Response> {
  const { user, fileId } = parseMediaTarget(request.url);
  const { headers, signal } = request;
  const ifMatch = headers.get("If-Match") ?? undefined;
  const sha256 = expectedSha256(headers);
  const mediaType = headers.get("Content-Type") ?? undefined;
  const { file, created } = await client.upload({
    user,
    fileId,
    source: streamSource(request.body ?? emptyBody(), contentLength(headers)),
    overwrite: !refusesToReplace(headers),
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(mediaType === undefined ? {} : { mediaType }),
    signal,
  });
  return Response.json(file, { status: created ? 201 : 200, headers: validators(file) });
}

/** DELETE: 204. */
export async function deleteMedia(client: DsmClient, request: Request): Promise<Response> {
  const { user, fileId } = parseMediaTarget(request.url);
  const ifMatch = request.headers.get("If-Match") ?? undefined;
  await client.delete({ user, fileId, ...(ifMatch === undefined ? {} : { ifMatch }) });
  return new Response(null, { status: 204 });
}

function refusesToReplace(headers: Headers): boolean {
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  throw new DsmError("BAD_REQUEST", "a PUT takes If-None-Match with * alone", {
    remedy: "use If-Match to replace one version",
  });
}

function contentLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length");
  return length === null ? undefined : Number(length);
}

function validators(file: FileInfo): Record<string, string> {
  return { ETag: etagOf(file.sha256), "Repr-Digest": reprDigestOf(file.sha256) };
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
