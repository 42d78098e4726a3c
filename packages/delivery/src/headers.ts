import { etagOf, type FileInfo, reprDigestOf } from "@dsm/protocol";
import { contentDisposition } from "./disposition.ts";
import { formatHttpDate } from "./http-date.ts";
import { essenceOf, mediaTypeFor } from "./media-type.ts";
import type { ByteRange } from "./range.ts";

export type HeaderRecord = Readonly<Record<string, string>>;

// Caches may keep it and must ask each time: an overwrite is seen at once.
const cacheControl = "no-cache";

/** Of every 200, to GET and HEAD alike. */
export function wholeHeaders(file: FileInfo, download: boolean): HeaderRecord {
  return { ...commonHeaders(file, download), "content-length": `${file.sizeBytes}` };
}

/** Of every 206 with one range (RFC 9110, section 15.3.7.1). */
export function partHeaders(file: FileInfo, download: boolean, range: ByteRange): HeaderRecord {
  const { start, endExclusive } = range;
  return {
    ...commonHeaders(file, download),
    "content-length": `${endExclusive - start}`,
    "content-range": `bytes ${start}-${endExclusive - 1}/${file.sizeBytes}`,
  };
}

/** Of a 304: what a cache may learn from it and no more (RFC 9110, section 15.4.5). */
export function notModifiedHeaders(file: FileInfo): HeaderRecord {
  return { etag: etagOf(file.sha256), "cache-control": cacheControl };
}

/** Of a 416 (RFC 9110, section 15.5.17). */
export function unsatisfiableHeaders(file: FileInfo): HeaderRecord {
  return { "accept-ranges": "bytes", "content-range": `bytes */${file.sizeBytes}` };
}

function commonHeaders(file: FileInfo, download: boolean): HeaderRecord {
  const mediaType = mediaTypeFor(file.fileId, file.mediaType);
  const headers = {
    "accept-ranges": "bytes",
    "cache-control": cacheControl,
    "content-disposition": contentDisposition(file.fileId, download),
    "content-type": mediaType,
    etag: etagOf(file.sha256),
    "last-modified": formatHttpDate(file.modifiedAtMs),
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
