import { limits } from "@dsm/protocol";
import mime from "mime";

const token = "[!#$%&'+.^_`|~0-9A-Za-z-]+";
const quotedString = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t \\x21-\\x7e])*"';
// RFC 9110, section 8.3.1. `*` is a token character, yet no one stores a `*/*`.
const mediaTypePattern = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*(?:${token}=(?:${token}|${quotedString}))?)*$`,
);

const unknown = "application/octet-stream";
/** What clients send when nobody told them the type; the second one is curl's `--data`. */
const saysNothing = new Set([unknown, "application/x-www-form-urlencoded", "binary/octet-stream"]);

/** As knownMediaType, with application/octet-stream for what nothing is known of. */
export function mediaTypeFor(fileId: string, declared?: string): string {
  return knownMediaType(fileId, declared) ?? unknown;
}

/**
 * The media type of a file: what the upload declared, where that says something, else by the
 * extension of the file id, if that is known. Never over limits.mediaTypeMaxChars and always fit
 * for a Content-Type header.
 */
export function knownMediaType(fileId: string, declared?: string): string | undefined {
  if (declared !== undefined && isMediaType(declared) && !saysNothing.has(essenceOf(declared))) {
    return declared;
  }
  const name = fileId.slice(fileId.lastIndexOf("/") + 1);
  // The package takes a name without a dot for an extension.
  const byName = name.includes(".") ? mime.getType(name) : null;
  return byName === null ? undefined : (registered[byName] ?? byName);
}

/** Where the package has a name of its own for a type that is registered. */
const registered: Readonly<Record<string, string>> = {
  // RFC 9639
  "audio/x-flac": "audio/flac",
  // RFC 4337
  "video/x-m4v": "video/mp4",
};

/** `type/subtype` in lower case, without parameters. */
export function essenceOf(mediaType: string): string {
  return (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
}

function isMediaType(value: string): boolean {
  return value.length <= limits.mediaTypeMaxChars && mediaTypePattern.test(value);
}
