import { DsmError, etagOf, type FileInfo } from "@dsm/protocol";
import { matchesStrongly, matchesWeakly, parseEntityTag, parseEntityTags } from "./etag.ts";
import { parseHttpDate } from "./http-date.ts";

/** What a request's preconditions are compared with: the current version of the file. */
export interface Validators {
  readonly etag: string;
  readonly modifiedAtMs: number;
  /**
   * Whether no other version can bear the same date (RFC 9110, section 8.8.2.2): dates have
   * seconds, and two versions may be committed within one.
   */
  readonly dateIsStrong: boolean;
}

export interface ConditionalRequest {
  readonly method: string;
  readonly headers: Pick<Headers, "get">;
}

/** `serve`: do what the method says. `not-modified`: 304. `failed`: 412. */
export type PreconditionResult = "serve" | "not-modified" | "failed";

export function validatorsOf(file: FileInfo): Validators {
  return {
    etag: etagOf(file.sha256),
    modifiedAtMs: file.modifiedAtMs,
    // The catalog keeps one version, so only of the first is it known that none came before it.
    dateIsStrong: file.version === 1,
  };
}

/**
 * Steps 1 to 4 of RFC 9110, section 13.2.2. `current` is undefined where there is no file. Ask
 * only when the answer without preconditions would be 2xx (section 13.2.1): a GET of a missing
 * file is 404 whatever they say.
 */
export function evaluatePreconditions(
  request: ConditionalRequest,
  current: Validators | undefined,
): PreconditionResult {
  const { headers } = request;
  const isRead = request.method === "GET" || request.method === "HEAD";
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null) {
    if (!holdsIfMatch(ifMatch, current)) return "failed";
  } else if (isAfter(current, headers.get("if-unmodified-since"))) {
    return "failed";
  }
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null) {
    if (holdsIfNoneMatch(ifNoneMatch, current, isRead)) return "serve";
    return isRead ? "not-modified" : "failed";
  }
  const ifModifiedSince = headers.get("if-modified-since");
  if (!isRead || isAfter(current, ifModifiedSince) !== false) return "serve";
  return "not-modified";
}

/**
 * A PUT carries a whole file: a part of one, stored in its place, would destroy it (RFC 9110,
 * section 14.5).
 * @throws DsmError BAD_REQUEST
 */
export function assertNoPartialPut(headers: Pick<Headers, "get">): void {
  if (headers.get("content-range") === null) return;
  throw new DsmError("BAD_REQUEST", "a PUT with Content-Range would store a part of a file", {
    remedy: "send the whole file, without Content-Range",
  });
}

/**
 * The preconditions of a PUT or DELETE; `current` is undefined where there is no file.
 * @throws DsmError FILE_EXISTS for `If-None-Match: *` where there is one, else
 * PRECONDITION_FAILED
 */
export function assertWriteAllowed(
  headers: Pick<Headers, "get">,
  current: FileInfo | undefined,
  name: { readonly user: string; readonly fileId: string },
): void {
  const validators = current === undefined ? undefined : validatorsOf(current);
  if (evaluatePreconditions({ method: "PUT", headers }, validators) === "serve") return;
  const file = `${name.user}/${name.fileId}`;
  if (current !== undefined && headers.get("if-none-match")?.trim() === "*") {
    throw new DsmError("FILE_EXISTS", `${file} exists`, {
      remedy:
        "choose another file id, or replace it: dsm upload --overwrite, PUT without If-None-Match",
    });
  }
  const why = current === undefined ? "does not exist" : "is another version";
  throw new DsmError("PRECONDITION_FAILED", `${file} ${why}`, {
    remedy: "read its present version and decide anew",
  });
}

/**
 * Step 5 of RFC 9110, section 13.2.2: whether a Range header counts beside an If-Range (section
 * 13.1.5). Without If-Range it does.
 */
export function rangeApplies(headers: Pick<Headers, "get">, current: Validators): boolean {
  const ifRange = headers.get("if-range");
  if (ifRange === null) return true;
  const tag = parseEntityTag(ifRange);
  if (tag !== undefined) return matchesStrongly(tag, current.etag);
  const dateS = parseHttpDate(ifRange);
  return current.dateIsStrong && dateS === Math.floor(current.modifiedAtMs / 1000);
}

/** RFC 9110, section 13.1.1. A malformed list matches nothing. */
function holdsIfMatch(value: string, current: Validators | undefined): boolean {
  if (current === undefined) return false;
  const tags = parseEntityTags(value);
  if (tags === "any") return true;
  return tags?.some((tag) => matchesStrongly(tag, current.etag)) ?? false;
}

/**
 * RFC 9110, section 13.1.2. A malformed list holds for a read, which then gets the whole, and
 * fails for a write, whose sender meant to be protected.
 */
function holdsIfNoneMatch(
  value: string,
  current: Validators | undefined,
  isRead: boolean,
): boolean {
  const tags = parseEntityTags(value);
  if (tags === undefined) return isRead;
  if (current === undefined) return true;
  if (tags === "any") return false;
  return !tags.some((tag) => matchesWeakly(tag, current.etag));
}

/**
 * Whether the file was modified after the date of the header, in whole seconds; undefined when
 * there is no file, no header or no valid date in it, in which case the header is ignored (RFC
 * 9110, sections 13.1.3 and 13.1.4).
 */
function isAfter(current: Validators | undefined, header: string | null): boolean | undefined {
  const dateS = header === null ? undefined : parseHttpDate(header);
  if (current === undefined || dateS === undefined) return undefined;
  return Math.floor(current.modifiedAtMs / 1000) > dateS;
}
