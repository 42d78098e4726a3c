import { DsmError, type FileInfo, limits } from "@dsm/protocol";
import { evaluatePreconditions, rangeApplies, validatorsOf } from "./conditional.ts";
import { assertSound } from "./damaged-range.ts";
import {
  type HeaderRecord,
  multipartHeaders,
  notModifiedHeaders,
  partHeaders,
  type Serving,
  unsatisfiableHeaders,
  wholeHeaders,
} from "./headers.ts";
import { mediaTypeFor } from "./media-type.ts";
import { type MultipartBody, planMultipart } from "./multipart.ts";
import { type ServingPolicy, servingPolicy } from "./policy.ts";
import { type ByteRange, type RangeSelection, selectRange } from "./range.ts";

export interface ReadRequest {
  /** GET or HEAD. */
  readonly method: string;
  readonly headers: Pick<Headers, "get">;
  /** As an attachment. */
  readonly download: boolean;
  /** As RequestInfo says it: without, a multipart body must be small enough to be buffered. */
  readonly keepsLength: boolean;
  /** Answer with the whole in spite of a Range (RFC 9110, section 14.2). */
  readonly ignoresRange?: boolean;
}

/** What to answer, decided before a byte of the file is touched. */
export interface Plan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: HeaderRecord;
  /** The bytes to send; absent for HEAD, for an empty file, and where nothing is sent. */
  readonly body?: ByteRange | MultipartBody;
  /** Set for 412 and 416. */
  readonly error?: DsmError;
}

const defaultPolicy = servingPolicy();

/**
 * How to answer a GET or HEAD of `file` (RFC 9110, sections 13.2.2 and 14.2).
 * @throws DsmError DATA_CORRUPT when bytes of the answer are known to be damaged
 */
export function planResponse(
  request: ReadRequest,
  file: FileInfo,
  policy: ServingPolicy = defaultPolicy,
): Plan {
  const result = evaluatePreconditions(request, validatorsOf(file));
  const serving: Serving = { file, download: request.download, policy };
  if (result === "not-modified") return { status: 304, headers: notModifiedHeaders(serving) };
  if (result === "failed") return { status: 412, headers: {}, error: changed(file) };
  const selection = rangeOf(request, file);
  if (selection.kind === "unsatisfiable") {
    return { status: 416, headers: unsatisfiableHeaders(file), error: outside(file) };
  }
  if (selection.kind === "part") return partPlan(serving, selection);
  if (selection.kind === "parts") {
    const maxBytes = request.keepsLength ? Infinity : limits.multipartBufferedMaxBytes;
    return partsPlan(serving, selection.parts, maxBytes);
  }
  const whole = { start: 0, endExclusive: file.sizeBytes };
  assertSound(file, [whole]);
  const headers = wholeHeaders(serving);
  if (request.method === "HEAD" || file.sizeBytes === 0) return { status: 200, headers };
  return { status: 200, headers, body: whole };
}

function partPlan(serving: Serving, { start, endExclusive }: ByteRange): Plan {
  const body = { start, endExclusive };
  assertSound(serving.file, [body]);
  return { status: 206, headers: partHeaders(serving, body), body };
}

function partsPlan(serving: Serving, ranges: readonly ByteRange[], maxBytes: number): Plan {
  const { file } = serving;
  const body = planMultipart(file, mediaTypeFor(file.fileId, file.mediaType), ranges, maxBytes);
  const [first, ...others] = body.parts;
  if (first !== undefined && others.length === 0) return partPlan(serving, first);
  assertSound(file, body.parts);
  return { status: 206, headers: multipartHeaders(serving, body), body };
}

function rangeOf(request: ReadRequest, file: FileInfo): RangeSelection {
  // RFC 9110, section 14.2: a Range with any other method, HEAD too, must be ignored.
  const isDefined = request.method === "GET" && request.ignoresRange !== true;
  const counts = isDefined && rangeApplies(request.headers, validatorsOf(file));
  return selectRange(counts ? request.headers.get("range") : null, file.sizeBytes);
}

function changed(file: FileInfo): DsmError {
  return new DsmError("PRECONDITION_FAILED", `${file.user}/${file.fileId} is another version`, {
    remedy: "read it anew from its start",
  });
}

function outside(file: FileInfo): DsmError {
  const what = `no byte of the range lies in ${file.user}/${file.fileId}`;
  return new DsmError("RANGE_NOT_SATISFIABLE", `${what}, which has ${file.sizeBytes} bytes`, {
    remedy: "ask for bytes that it has",
  });
}
