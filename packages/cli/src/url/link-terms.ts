import { parseDuration } from "@dsm/config";
import {
  assertFileId,
  assertUser,
  canonicalAddress,
  DsmError,
  limits,
  type LinkRequest,
} from "@dsm/protocol";

export interface LinkFlags {
  readonly fileid: string;
  readonly user: string;
  readonly prefix?: boolean | undefined;
  readonly expires?: string | undefined;
  readonly "not-before"?: string | undefined;
  readonly "download-only"?: boolean | undefined;
  readonly "client-address"?: string | undefined;
}

const expiresDefault = "1h";

/** What the flags ask for. @throws DsmError USAGE, BAD_NAME */
export function linkRequestOf(flags: LinkFlags, nowMs: number): LinkRequest {
  const notBefore = flags["not-before"];
  const address = flags["client-address"];
  const times = {
    expiresAtMs: timeOf("--expires", flags.expires ?? expiresDefault, nowMs),
    ...(notBefore === undefined ? {} : { notBeforeMs: timeOf("--not-before", notBefore, nowMs) }),
  };
  if (times.notBeforeMs !== undefined && times.notBeforeMs >= times.expiresAtMs) {
    throw new DsmError("USAGE", "the link would expire before it begins", {
      remedy: "give an --expires behind --not-before; both count from now",
    });
  }
  return {
    user: assertUser(flags.user),
    ...(flags.prefix === true
      ? { prefix: folderOf(flags.fileid) }
      : { fileId: assertFileId(flags.fileid) }),
    ...times,
    ...(flags["download-only"] === true ? { downloadOnly: true } : {}),
    ...(address === undefined ? {} : { clientAddress: addressOf(address) }),
  };
}

/** Whether the flags ask for more than the bare URL of a file would give. */
export function restricts(flags: LinkFlags): boolean {
  const asked = [flags.prefix, flags.expires, flags["not-before"], flags["client-address"]];
  return [...asked, flags["download-only"]].some((it) => it !== undefined && it !== false);
}

/** With its slash; empty, or a slash alone, is all files of the user. */
function folderOf(written: string): string {
  const bare = written.replace(/\/$/, "");
  return bare === "" ? "" : `${assertFileId(bare)}/`;
}

function addressOf(written: string): string {
  const address = canonicalAddress(written);
  if (address !== undefined) return address;
  throw new DsmError("USAGE", `--client-address: ${JSON.stringify(written)} is no IP address`, {
    remedy: "give one as 192.0.2.1 or 2001:db8::1",
  });
}

// RFC 3339, section 5.6, with the seconds left out where there are none.
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;
const ttlMaxMs = limits.linkTtlMaxS * 1_000;

/** A time from now on, as a span from now or as a point. @throws DsmError USAGE */
function timeOf(flag: string, written: string, nowMs: number): number {
  if (!/^\d{4}-/.test(written)) return nowMs + parseDuration(flag, written, 1, ttlMaxMs);
  const timeMs = timePattern.test(written) ? Date.parse(written) : Number.NaN;
  if (timeMs > nowMs && timeMs <= nowMs + ttlMaxMs) return timeMs;
  const why = Number.isNaN(timeMs) ? "it is no time" : "it is not within ten years from now";
  throw new DsmError("USAGE", `${flag}: ${JSON.stringify(written)} is wrong: ${why}`, {
    remedy: "give a span as 90m, 24h or 7d, or a time as 2026-12-24T18:00:00Z",
  });
}
