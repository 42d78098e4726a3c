import { etagOf, type FileInfo, reprDigestOf } from "@dsm/protocol";
import { contentDisposition } from "./disposition.ts";
import { formatHttpDate } from "./http-date.ts";
import { lifetimeHeaders } from "./lifetime.ts";
import { essenceOf, mediaTypeFor } from "./media-type.ts";
import type { MultipartBody } from "./multipart.ts";
import type { ServingPolicy } from "./policy.ts";
import type { ByteRange } from "./range.ts";

export type HeaderRecord = Readonly<Record<string, string>>;

/** What the headers of a file's answers are made from. */
export interface Serving {
  readonly file: FileInfo;
  /** As an attachment. */
  readonly download: boolean;
  readonly policy: ServingPolicy;
}

/** Of every 200, to GET and HEAD alike. */
export function wholeHeaders(serving: Serving): HeaderRecord {
  return { ...commonHeaders(serving), "content-length": `${serving.file.sizeBytes}` };
}

/** Of every 206 with one range (RFC 9110, section 15.3.7.1). */
export function partHeaders(serving: Serving, range: ByteRange): HeaderRecord {
  const { start, endExclusive } = range;
  return {
    ...commonHeaders(serving),
    "content-length": `${endExclusive - start}`,
    "content-range": `bytes ${start}-${endExclusive - 1}/${serving.file.sizeBytes}`,
  };
}

/** Of every 206 with several; each part has its own Content-Range (RFC 9110, section 15.3.7.2). */
export function multipartHeaders(serving: Serving, body: MultipartBody): HeaderRecord {
  return {
    ...commonHeaders(serving),
    "content-length": `${body.lengthBytes}`,
    "content-type": body.contentType,
  };
}

/** Of a 304: what a cache may learn from it and no more (RFC 9110, section 15.4.5). */
export function notModifiedHeaders({ file, policy }: Serving): HeaderRecord {
  return { etag: etagOf(file.sha256), ...lifetimeHeaders(file, policy, Date.now()) };
}

/** Of a 416 (RFC 9110, section 15.5.17). */
export function unsatisfiableHeaders(file: FileInfo): HeaderRecord {
  return { "accept-ranges": "bytes", "content-range": `bytes */${file.sizeBytes}` };
}

interface Kept {
  readonly download: boolean;
  readonly policy: ServingPolicy;
  readonly headers: HeaderRecord;
}

/** They are the same for every answer with a version, and a file that is read often is at hand. */
const kept = new WeakMap<FileInfo, Kept>();

function commonHeaders(serving: Serving): HeaderRecord {
  const { file, download, policy } = serving;
  const last = kept.get(file);
  if (last?.download === download && last.policy === policy) return last.headers;
  const headers = makeCommonHeaders(serving);
  // One that is ahead of this clock changes until this clock has caught up, and what is left of
  // one that expires becomes less all the time.
  if (file.modifiedAtMs <= Date.now() && file.expiresAtMs === undefined)
    kept.set(file, { download, policy, headers });
  return headers;
}

function makeCommonHeaders({ file, download, policy }: Serving): HeaderRecord {
  const mediaType = mediaTypeFor(file.fileId, file.mediaType);
  const headers = {
    "accept-ranges": "bytes",
    ...lifetimeHeaders(file, policy, Date.now()),
    "content-disposition": contentDisposition(file.fileId, download),
    "content-type": mediaType,
    etag: etagOf(file.sha256),
    // RFC 9110, section 8.8.2.1: never after Date, though another clock may have been ahead.
    "last-modified": formatHttpDate(Math.min(file.modifiedAtMs, Date.now())),
    "repr-digest": reprDigestOf(file.sha256),
    "x-content-type-options": "nosniff",
  };
  return isInert(mediaType) ? headers : { ...headers, "content-security-policy": "sandbox" };
}

const inertTypes = new Set(["application/octet-stream", "application/pdf", "text/plain"]);

/**
 * Whether a browser that opens it runs nothing of it. All else (HTML, SVG, XML, scripts and what
 * nobody here knows) is sandboxed, so that an upload never acts in the name of this origin.
 */
function isInert(mediaType: string): boolean {
  const essence = essenceOf(mediaType);
  if (inertTypes.has(essence)) return true;
  return /^(?:audio|video|image|font)\//.test(essence) && !essence.endsWith("+xml");
}
