import { DsmError, type FileInfo } from "@dsm/protocol";
import { evaluatePreconditions, rangeApplies, validatorsOf } from "./conditional.ts";
import {
  type HeaderRecord,
  notModifiedHeaders,
  partHeaders,
  unsatisfiableHeaders,
  wholeHeaders,
} from "./headers.ts";
import { type ByteRange, type RangeSelection, selectRange } from "./range.ts";

export interface ReadRequest {
  /** GET or HEAD. */
  readonly method: string;
  readonly headers: Pick<Headers, "get">;
  /** As an attachment. */
  readonly download: boolean;
}

/** What to answer, decided before a byte of the file is touched. */
export interface Plan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: HeaderRecord;
  /** The bytes to send; absent for HEAD, for an empty file, and where nothing is sent. */
  readonly body?: ByteRange;
  /** Set for 412 and 416. */
  readonly error?: DsmError;
}

/** How to answer a GET or HEAD of `file` (RFC 9110, sections 13.2.2 and 14.2). */
export function planResponse(request: ReadRequest, file: FileInfo): Plan {
  const current = validatorsOf(file);
  const result = evaluatePreconditions(request, current);
  if (result === "not-modified") return { status: 304, headers: notModifiedHeaders(file) };
  if (result === "failed") return { status: 412, headers: {}, error: changed(file) };
  const selection = rangeOf(request, file);
  if (selection.kind === "unsatisfiable") {
    return { status: 416, headers: unsatisfiableHeaders(file), error: outside(file) };
  }
  if (selection.kind === "part") {
    const { start, endExclusive } = selection;
    const body = { start, endExclusive };
    return { status: 206, headers: partHeaders(file, request.download, body), body };
  }
  const headers = wholeHeaders(file, request.download);
  if (request.method === "HEAD" || file.sizeBytes === 0) return { status: 200, headers };
  return { status: 200, headers, body: { start: 0, endExclusive: file.sizeBytes } };
}

function rangeOf(request: ReadRequest, file: FileInfo): RangeSelection {
  // RFC 9110, section 14.2: a Range with any other method, HEAD too, must be ignored.
  const counts = request.method === "GET" && rangeApplies(request.headers, validatorsOf(file));
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
