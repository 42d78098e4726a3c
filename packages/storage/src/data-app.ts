import {
  assertNoPartialPut,
  assertWriteAllowed,
  knownMediaType,
  localSource,
  notTaken,
  planResponse,
  privatePolicy,
  type RequestInfo,
  respond,
  type Route,
  type ServingPolicy,
} from "@dsm/delivery";
import {
  type ClusterSecret,
  DsmError,
  etagOf,
  expectedSha256,
  type FileInfo,
  parseMediaTarget,
  reprDigestOf,
} from "@dsm/protocol";
import { Hono } from "hono";
import type { FileWrites } from "./file-writes.ts";
import { shownCapability } from "./shown-capability.ts";
import type { WatchedFiles } from "./watched-files.ts";

export interface DataAppOptions {
  readonly root: string;
  readonly group: string;
  readonly secret: ClusterSecret;
  readonly writes: FileWrites;
  readonly policy: ServingPolicy;
  readonly watched: Pick<WatchedFiles, "assertReadable">;
  readonly current: (user: string, fileId: string) => Promise<FileInfo | undefined>;
  /** Throws when this storage takes no new bytes: it is full, or it stops. */
  readonly admitWrite: (announcedBytes: number | undefined) => void;
}

/** `inside` is the data port; `public` is the port beside it, on which nothing can be changed. */
export type Side = "inside" | "public";

/** Pages of every origin may read media: the right to is the capability, wherever it is shown. */
const media: Readonly<Record<Side, Route>> = {
  inside: { methods: ["GET", "HEAD", "PUT", "DELETE"], readByAnyOrigin: true },
  public: { methods: ["GET", "HEAD"], readByAnyOrigin: true },
};
const health: Route = { methods: ["GET", "HEAD"], readByAnyOrigin: false };

/** The paths of a side and what may be done there; undefined where there is nothing. */
export function dataRoutesOf(side: Side): (path: string) => Route | undefined {
  return (path) => {
    if (path.startsWith("/media/")) return media[side];
    return path === "/healthz" ? health : undefined;
  };
}

/** Hono passes on what the server knows of a request besides the request itself. */
interface Env {
  readonly Bindings: RequestInfo;
}

/** Media of one group, for those who hold a capability. */
export function dataApp(options: DataAppOptions, side: Side): Hono<Env> {
  const app = new Hono<Env>();
  const routeOf = dataRoutesOf(side);
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.on(["GET", "HEAD"], "/media/*", (c) => read(options, c.req.raw, c.env));
  if (side === "inside") {
    app.put("/media/*", (c) => put(options, c.req.raw, c.env));
    app.delete("/media/*", (c) => remove(options, c.req.raw, c.env));
  }
  app.notFound((c) =>
    notTaken(c.req.method, routeOf(c.req.path), "media are at /media/{user}/{fileId}"),
  );
  // serveHttp answers errors, and tells the log of those that are ours.
  app.onError((error) => {
    throw error;
  });
  return app;
}

async function read(
  options: DataAppOptions,
  request: Request,
  { keepsLength, remoteAddress }: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  const { user, fileId, query } = target;
  const shown = { request, remoteAddress, target, intent: "read" } as const;
  const claims = shownCapability(options, shown);
  if (claims.isWatched === true && claims.file !== undefined) {
    await options.watched.assertReadable(claims.file);
  }
  // A pinned capability names the version: no other bytes are served, and no one is asked.
  const file = claims.file ?? (await options.current(user, fileId));
  if (file === undefined) throw notFound(user, fileId);
  const download = claims.downloadOnly === true || query.get("download") === "1";
  const { method, headers } = request;
  const policy = claims.isPublic === true ? options.policy : privatePolicy(options.policy);
  return respond(
    planResponse({ method, headers, download, keepsLength }, file, policy),
    localSource(options.root, file),
  );
}

async function put(
  options: DataAppOptions,
  request: Request,
  { remoteAddress }: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  shownCapability(options, { request, remoteAddress, target, intent: "write" });
  const { user, fileId } = target;
  const { headers } = request;
  assertNoPartialPut(headers);
  const announcedBytes = announcedLength(headers);
  options.admitWrite(announcedBytes);
  const { file, created } = await options.writes.put({
    user,
    fileId,
    mediaType: knownMediaType(fileId, headers.get("Content-Type") ?? undefined),
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

async function remove(
  options: DataAppOptions,
  request: Request,
  { remoteAddress }: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  shownCapability(options, { request, remoteAddress, target, intent: "delete" });
  const { user, fileId } = target;
  const { headers } = request;
  const check = (current: FileInfo) => assertWriteAllowed(headers, current, { user, fileId });
  await options.writes.delete({ user, fileId, check });
  return new Response(null, { status: 204 });
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
