import {
  announcedLength,
  assertNoPartialPut,
  knownMediaType,
  localSource,
  notTaken,
  planResponse,
  privatePolicy,
  type RequestInfo,
  respond,
  type Route,
  type ServingPolicy,
  type StopNotice,
} from "@dsm/delivery";
import {
  digestAtEnd,
  DsmError,
  etagOf,
  expectedSha256,
  expiresAfterOf,
  type FileInfo,
  isExpired,
  limits,
  parseMediaTarget,
  reprDigestOf,
} from "@dsm/protocol";
import { Hono } from "hono";
import { BodyWithDigest } from "./body-with-digest.ts";
import type { DamageMarks } from "./damage-marks.ts";
import type { FileWrites, PutRequest } from "./file-writes.ts";
import type { Maintenance } from "./maintenance-app.ts";
import type { StorageMetrics } from "./metrics.ts";
import { assertMayScrape } from "./metrics-access.ts";
import type { RootWatch } from "./root-watch.ts";
import { shownCapability } from "./shown-capability.ts";
import { empty, restore, type TrashAppOptions } from "./trash-app.ts";
import type { WatchedFiles } from "./watched-files.ts";
import { writeCheck } from "./write-check.ts";

export interface DataAppOptions extends TrashAppOptions {
  readonly root: string;
  readonly writes: FileWrites;
  readonly policy: ServingPolicy;
  readonly maintenance: Pick<Maintenance, "answer">;
  readonly metrics: StorageMetrics;
  /** Who sends it may read the metrics; only this machine unless given. */
  readonly metricsKey: string | undefined;
  readonly marks: Pick<DamageMarks, "current">;
  readonly watched: Pick<WatchedFiles, "assertReadable">;
  readonly mount: Pick<RootWatch, "assertThere" | "look">;
  readonly stopping: Pick<StopNotice, "isGiven">;
  readonly current: (user: string, fileId: string) => Promise<FileInfo | undefined>;
}

/** `inside` is the data port; `public` is the port beside it, on which nothing can be changed. */
export type Side = "inside" | "public";

/** Pages of every origin may read media: the right to is the capability, wherever it is shown. */
const media: Readonly<Record<Side, Route>> = {
  inside: { methods: ["GET", "HEAD", "PUT", "DELETE"], readByAnyOrigin: true },
  public: { methods: ["GET", "HEAD"], readByAnyOrigin: true },
};
const maintenance: Route = { methods: ["POST"], readByAnyOrigin: false };
const metrics: Route = { methods: ["GET", "HEAD"], readByAnyOrigin: false };
const trash: Route = { methods: ["POST", "DELETE"], readByAnyOrigin: false };
const health: Route = { methods: ["GET", "HEAD"], readByAnyOrigin: false };

/** The paths of a side and what may be done there; undefined where there is nothing. */
export function dataRoutesOf(side: Side): (path: string) => Route | undefined {
  return (path) => {
    if (path.startsWith("/media/")) return media[side];
    if (side === "inside" && path.startsWith("/maintenance/")) return maintenance;
    if (side === "inside" && path.startsWith("/trash/")) return trash;
    if (side === "inside" && path === "/metrics") return metrics;
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
  app.get("/healthz", (c) => {
    // Gateways redirect nobody to where this is not 200.
    if (options.stopping.isGiven) return c.json({ status: "stopping" }, 503);
    return c.json({ status: "ok" });
  });
  app.on(["GET", "HEAD"], "/media/*", (c) => read(options, c.req.raw, c.env));
  if (side === "inside") {
    app.put("/media/*", (c) => put(options, c.req.raw, c.env));
    app.delete("/media/*", (c) => remove(options, c.req.raw, c.env));
    app.post("/trash/*", (c) => restore(options, c.req.raw, c.env));
    app.delete("/trash/*", (c) => empty(options, c.req.raw, c.env));
    app.post("/maintenance/*", (c) => options.maintenance.answer(c.req.raw));
    app.get("/metrics", (c) => showMetrics(options, c.req.raw, c.env));
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

async function showMetrics(
  { metrics: shown, metricsKey }: DataAppOptions,
  request: Request,
  { remoteAddress }: RequestInfo,
): Promise<Response> {
  assertMayScrape(metricsKey, request, remoteAddress);
  return new Response(await shown.text(), { headers: { "Content-Type": shown.contentType } });
}

async function read(
  options: DataAppOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  const { user, fileId, query } = target;
  const shown = { request, info, target, intent: "read" } as const;
  const claims = shownCapability(options, shown);
  if (claims.isWatched === true && claims.file !== undefined) {
    await options.watched.assertReadable(claims.file);
  }
  // A pinned capability names the version: no other bytes are served, and no one is asked.
  const known = claims.file ?? (await options.current(user, fileId));
  // Who heals reads whatever lies there; for all others a file that has expired is none.
  const isGone = known === undefined || (claims.isRaw !== true && isExpired(known, Date.now()));
  if (isGone) throw notFound(user, fileId);
  // It may name it as it was hours ago; which bytes are bad is looked up now.
  const file = claims.isRaw === true ? known : await options.marks.current(known);
  const download = claims.downloadOnly === true || query.get("download") === "1";
  const { method, headers } = request;
  const policy = claims.isPublic === true ? options.policy : privatePolicy(options.policy);
  const plan = planResponse(
    { method, headers, download, keepsLength: info.keepsLength },
    file,
    policy,
  );
  options.mount.assertThere();
  try {
    return await respond(plan, localSource(options.root, file));
  } catch (thrown) {
    // Without its file system a storage misses every blob, and none is damaged.
    if (thrown instanceof DsmError && thrown.http >= 500) await options.mount.look();
    throw thrown;
  }
}

async function put(
  options: DataAppOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  shownCapability(options, { request, info, target, intent: "write" });
  const { user, fileId } = target;
  const { headers } = request;
  assertNoPartialPut(headers);
  const { announcedBytes, ...content } = contentOf(request);
  const ttlMs = expiresAfterOf(headers);
  options.admitWrite(announcedBytes);
  const { file, created } = await options.writes.put({
    user,
    fileId,
    mediaType: knownMediaType(fileId, headers.get("Content-Type") ?? undefined),
    ...content,
    announcedBytes,
    ttlMs,
    check: writeCheck(request, { user, fileId }),
  });
  options.metrics.onUploaded(file.sizeBytes);
  return Response.json(file, {
    status: created ? 201 : 200,
    headers: { ETag: etagOf(file.sha256), "Repr-Digest": reprDigestOf(file.sha256) },
  });
}

async function remove(
  options: DataAppOptions,
  request: Request,
  info: RequestInfo,
): Promise<Response> {
  const target = parseMediaTarget(request.url);
  shownCapability(options, { request, info, target, intent: "delete" });
  const { user, fileId } = target;
  const check = writeCheck(request, { user, fileId });
  await options.writes.delete({ user, fileId, check });
  return new Response(null, { status: 204 });
}

/**
 * What is to be stored, how much of it, and what it is checked against.
 * @throws DsmError BAD_REQUEST, DIGEST_UNSUPPORTED
 */
function contentOf(request: Request): Pick<PutRequest, "body" | "announcedBytes" | "sha256"> {
  const { headers } = request;
  const announcedBytes = announcedLength(headers);
  if (headers.get("Repr-Digest") !== digestAtEnd) {
    const sha256 = expectedSha256(headers);
    return { body: bodyOf(request, announcedBytes), announcedBytes, sha256 };
  }
  if (announcedBytes !== undefined) {
    throw new DsmError("BAD_REQUEST", "a digest behind the bytes is for bodies without a length");
  }
  const body = new BodyWithDigest(request.body ?? emptyBody());
  return { body, announcedBytes, sha256: () => body.sha256 };
}

/** A stream costs several times what a small body does that is taken in one piece. */
function bodyOf(request: Request, announcedBytes = Infinity): PutRequest["body"] {
  if (announcedBytes <= limits.uploadAtOnceMaxBytes) return () => request.bytes();
  return request.body ?? emptyBody();
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function notFound(user: string, fileId: string): DsmError {
  return new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
    remedy: `see dsm list --user ${user}`,
  });
}
