import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";
import { assertFileId, assertUser } from "./names.ts";

export interface MediaTarget {
  readonly user: string;
  readonly fileId: string;
  readonly query: URLSearchParams;
}

const mediaPrefix = "/media/";
const trashPrefix = "/trash/";
const originPattern = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/;

/** As parseFileTarget, below `/media/`. */
export function parseMediaTarget(url: string): MediaTarget {
  return parseFileTarget(url, mediaPrefix);
}

/** As parseFileTarget, below `/trash/`, where a storage restores and empties. */
export function parseTrashTarget(url: string): MediaTarget {
  return parseFileTarget(url, trashPrefix);
}

/**
 * Reads `{prefix}{user}/{fileId}` from a request's URL, absolute or path alone. It looks at the
 * URL as it was sent: no dot segment is resolved and no escape is guessed.
 * @throws DsmError UNKNOWN_ROUTE for another path, BAD_NAME for a name that is none or is not
 * percent-encoded UTF-8, TOO_LARGE for a URL of more than limits.urlMaxBytes
 */
export function parseFileTarget(url: string, prefix: string): MediaTarget {
  assertUrlSize(url);
  const local = url.replace(originPattern, "").replace(/#.*$/su, "");
  const queryAt = local.indexOf("?");
  const path = queryAt < 0 ? local : local.slice(0, queryAt);
  const query = new URLSearchParams(queryAt < 0 ? "" : local.slice(queryAt + 1));
  const userEnd = path.indexOf("/", prefix.length);
  if (!path.startsWith(prefix) || userEnd < 0) throw unknownRoute(prefix);
  const user = assertUser(decodeStrictly(path.slice(prefix.length, userEnd)));
  const fileId = assertFileId(decodeStrictly(path.slice(userEnd + 1)));
  return { user, fileId, query };
}

/** @throws DsmError URI_TOO_LONG for a URL of more than limits.urlMaxBytes */
export function assertUrlSize(url: string): void {
  const sizeBytes = Buffer.byteLength(url);
  if (sizeBytes <= limits.urlMaxBytes) return;
  throw new DsmError("URI_TOO_LONG", `the URL has ${sizeBytes} bytes`, {
    remedy: `use at most ${limits.urlMaxBytes}`,
  });
}

/**
 * The inverse of parseMediaTarget: every byte outside the unreserved characters of RFC 3986,
 * section 2.3, is percent-encoded; the slashes of the file id stay.
 * @throws DsmError BAD_NAME
 */
export function mediaPath(user: string, fileId: string): string {
  return pathBelow(mediaPrefix, user, fileId);
}

/** The inverse of parseTrashTarget. @throws DsmError BAD_NAME */
export function trashPath(user: string, fileId: string): string {
  return pathBelow(trashPrefix, user, fileId);
}

function pathBelow(prefix: string, user: string, fileId: string): string {
  const segments = assertFileId(fileId).split("/").map(encodeSegment);
  return `${prefix}${assertUser(user)}/${segments.join("/")}`;
}

function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, percentEncoded);
}

function percentEncoded(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

// A byte order mark is a character of the name like any other.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeStrictly(encoded: string): string {
  if (!encoded.isWellFormed()) throw badEncoding(encoded, "it is not valid Unicode");
  if (/%(?![0-9A-Fa-f]{2})/.test(encoded)) throw badEncoding(encoded, "it has a broken % escape");
  if (!encoded.includes("%")) return encoded;
  const bytes = Buffer.from(encoded);
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const isEscape = bytes[at] === 0x25;
    const byte = isEscape
      ? Number.parseInt(bytes.toString("latin1", at + 1, at + 3), 16)
      : bytes[at];
    bytes[length] = byte ?? 0;
    length += 1;
    if (isEscape) at += 2;
  }
  try {
    return strictUtf8.decode(bytes.subarray(0, length));
  } catch (cause) {
    throw badEncoding(encoded, "its bytes are not UTF-8", cause);
  }
}

const shownMaxChars = 80;

function badEncoding(encoded: string, why: string, cause?: unknown): DsmError {
  const shown = JSON.stringify(encoded.slice(0, shownMaxChars));
  return new DsmError("BAD_NAME", `${shown} is not a name in a URL: ${why}`, {
    remedy: "percent-encode the UTF-8 bytes of the name",
    cause,
  });
}

function unknownRoute(prefix: string): DsmError {
  return new DsmError("UNKNOWN_ROUTE", "this path names no file", {
    remedy: `ask for ${prefix}{user}/{fileId}`,
  });
}
