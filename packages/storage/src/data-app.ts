import {
  assertWriteAllowed,
  localSource,
  mediaTypeFor,
  planResponse,
  problemResponse,
  respond,
} from "@dsm/delivery";
import {
  assertCovers,
  type CapabilityClaims,
  type ClusterSecret,
  DsmError,
  etagOf,
  expectedSha256,
  type FileInfo,
  type Intent,
  type MediaTarget,
  openCapability,
  parseMediaTarget,
  reprDigestOf,
} from "@dsm/protocol";
import { Hono } from "hono";
import type { FileWrites } from "./file-writes.ts";

export interface DataAppOptions {
  readonly root: string;
  readonly group: string;
  readonly secret: ClusterSecret;
  readonly writes: FileWrites;
  readonly current: (user: string, fileId: string) => Promise<FileInfo | undefined>;
  /** Throws when this storage takes no new bytes: it is full, or it stops. */
  readonly admitWrite: (announcedBytes: number | undefined) => void;
}

/** The data port: media of one group, for those who hold a capability. */
export function dataApp(options: DataAppOptions): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.on(["GET", "HEAD"], "/media/*", (c) => read(options, c.req.raw));
  app.put("/media/*", (c) => put(options, c.req.raw));
  app.delete("/media/*", (c) => remove(options, c.req.raw));
  app.all("/media/*", (c) =>
    problemResponse(
      new DsmError("METHOD_NOT_ALLOWED", `${c.req.method} is not a method of media`),
      { Allow: "GET, HEAD, PUT, DELETE" },
    ),
  );
  app.notFound(() =>
    problemResponse(new DsmError("UNKNOWN_ROUTE", "the data port serves /media/{user}/{fileId}")),
  );
  // serveHttp answers errors, and tells the log of those that are ours.
  app.onError((error) => {
    throw error;
  });
  return app;
}

async function read(options: DataAppOptions, request: Request): Promise<Response> {
  const target = parseMediaTarget(request.url);
  const claims = authorize(options, request, "read", target);
  // A pinned capability names the version: no other bytes are served, and no one is asked.
  const pinned = claims.file?.fileId === target.fileId ? claims.file : undefined;
  const file = pinned ?? (await options.current(target.user, target.fileId));
  if (file === undefined) throw notFound(target.user, target.fileId);
  const download = target.query.get("download") === "1";
  const { method, headers } = request;
  return respond(
    planResponse({ method, headers, download }, file),
    localSource(options.root, file),
  );
}

async function put(options: DataAppOptions, request: Request): Promise<Response> {
  const target = parseMediaTarget(request.url);
  authorize(options, request, "write", target);
  const { user, fileId } = target;
  const { headers } = request;
  const announcedBytes = announcedLength(headers);
  options.admitWrite(announcedBytes);
  const { file, created } = await options.writes.put({
    user,
    fileId,
    mediaType: mediaTypeFor(fileId, headers.get("Content-Type") ?? undefined),
    body: request.body ?? emptyBody(),
    announcedBytes,
    sha256: expectedSha256(headers),
    check: (current) => assertWriteAllowed(headers, current, { user, fileId }),
  });
  return Response.json(file, {
    status: created ? 201 : 200,
    headers: { ETag: etagOf(file.sha256), "Repr-Digest": reprDigestOf(file.sha256) },
  });
}

async function remove(options: DataAppOptions, request: Request): Promise<Response> {
  const target = parseMediaTarget(request.url);
  authorize(options, request, "delete", target);
  const { user, fileId } = target;
  const { headers } = request;
  const check = (current: FileInfo) => assertWriteAllowed(headers, current, { user, fileId });
  await options.writes.delete({ user, fileId, check });
  return new Response(null, { status: 204 });
}

/** @throws DsmError UNAUTHENTICATED or FORBIDDEN */
function authorize(
  { secret, group }: DataAppOptions,
  request: Request,
  intent: Intent,
  { user, fileId }: MediaTarget,
): CapabilityClaims {
  const token = /^Bearer (.+)$/.exec(request.headers.get("Authorization") ?? "")?.[1];
  if (token === undefined) {
    throw new DsmError("UNAUTHENTICATED", "the data port asks for a capability", {
      remedy: "ask a tracker to locate the file, or read it through the gateway",
    });
  }
  const claims = openCapability(secret, token, Date.now());
  assertCovers(claims, { intent, group, user, fileId });
  return claims;
}

/** @throws DsmError BAD_REQUEST */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length");
  if (length === null) return undefined;
  // RFC 9110, section 8.6: 1*DIGIT.
  if (/^\d{1,16}$/.test(length)) return Number(length);
  throw new DsmError("BAD_REQUEST", `Content-Length ${JSON.stringify(length)} is not a length`);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function notFound(user: string, fileId: string): DsmError {
  return new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
    remedy: `see dsm list --user ${user}`,
  });
}
