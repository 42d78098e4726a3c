import { DsmError } from "./errors.ts";
import { canonicalAddress } from "./ip-address.ts";
import { isLinkKeyId, type LinkKeys } from "./link-keys.ts";
import { assertUrlSize, mediaPath, type MediaTarget, parseMediaTarget } from "./media-target.ts";
import { fileIdFault } from "./names.ts";
import { sameProof } from "./secret.ts";

/**
 * A signed link is a media URL that carries the right to read it. It is signed without scheme,
 * host and port, so it works behind any proxy and under any name.
 */
export interface MediaLink {
  readonly user: string;
  readonly scope: LinkScope;
  /** Rounded up to whole seconds in the link. */
  readonly expiresAtMs: number;
  /** Rounded down to whole seconds in the link. */
  readonly notBeforeMs?: number | undefined;
  /** The bytes leave as an attachment. */
  readonly downloadOnly?: boolean | undefined;
  /** The only IP address that may use it. */
  readonly clientAddress?: string | undefined;
}

/**
 * One file, or all files below a folder. A prefix is empty or ends with a slash, so that a link
 * for `a` never opens `ab/x` by surprise.
 */
export type LinkScope = { readonly fileId: string } | { readonly prefix: string };

export interface SignedLink {
  /** From `/media/` on. For a prefix it ends with the prefix: append the rest of a file id. */
  readonly path: string;
  readonly keyId: string;
  /** As the link says it, in whole seconds. */
  readonly expiresAtMs: number;
  readonly notBeforeMs?: number;
}

/** What a link grants to whoever may use it now. */
export interface LinkGrant {
  readonly downloadOnly: boolean;
  readonly expiresAtMs: number;
  readonly clientAddress?: string;
}

/**
 * The parameters of a link and their only forms. They stand in the query, or all together as the
 * first segment below /media/ behind a tilde, which no user name begins with: there they survive
 * when a player resolves the relative URLs of a playlist (RFC 3986, section 5.2).
 */
const parameters = {
  /** When it expires, in seconds since 1970. */
  exp: /^[1-9]\d{0,10}$/,
  /** When it begins, in seconds since 1970. */
  nbf: /^(?:0|[1-9]\d{0,10})$/,
  /** Download only. */
  dl: /^1$/,
  /** The client's address. */
  ip: /^[0-9A-Fa-f:.]{2,45}$/,
  /** For a prefix: how many leading segments of the file id belong to it. */
  pre: /^(?:0|[1-9]\d{0,2})$/,
  /** The id of the key. */
  kid: { test: isLinkKeyId },
  /** The signature. */
  sig: /^[A-Za-z0-9_-]{43}$/,
};
type Parameters = Partial<Record<keyof typeof parameters, string>>;

const bearingPathPattern =
  /^((?:[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*)?\/media\/)(?:~|%7[Ee])([^/?#]*)\//;

/**
 * As parseMediaTarget, for a path that may bear a link, whose parameters then join the query.
 * @throws DsmError as parseMediaTarget
 */
export function parseReadTarget(url: string): MediaTarget {
  const bearing = bearingPathPattern.exec(url);
  if (bearing === null) return parseMediaTarget(url);
  assertUrlSize(url);
  const [whole, start = "", written = ""] = bearing;
  // Some clients escape in a path what need not be; no value of a link holds an escape.
  const plain = written.replaceAll(/%(?:26|3D|3A)/gi, (escape) => decodeURIComponent(escape));
  const borne = new URLSearchParams(plain);
  if (!bearsLink(borne)) return parseMediaTarget(url);
  const target = parseMediaTarget(start + url.slice(whole.length));
  return { ...target, query: new URLSearchParams([...borne, ...target.query]) };
}

/**
 * @throws DsmError BAD_NAME, BAD_REQUEST for terms that no link can have, BAD_CONFIG without a key
 */
export function signLink(keys: LinkKeys, link: MediaLink): SignedLink {
  const keyId = keys.signerId;
  if (keyId === undefined) {
    throw new DsmError("BAD_CONFIG", "there is no key to sign a link with", {
      remedy: "set DSM_LINK_KEYS, or link_keys in [gateway]",
    });
  }
  const { user, scope } = link;
  const exp = Math.ceil(link.expiresAtMs / 1_000);
  const nbf = link.notBeforeMs === undefined ? undefined : Math.floor(link.notBeforeMs / 1_000);
  if (nbf !== undefined && nbf >= exp) throw badLink("it would end before it begins");
  const said: Parameters = {
    exp: `${exp}`,
    ...(nbf === undefined ? {} : { nbf: `${nbf}` }),
    ...(link.downloadOnly === true ? { dl: "1" } : {}),
    ...(link.clientAddress === undefined ? {} : { ip: addressOf(link.clientAddress) }),
    ...("prefix" in scope ? { pre: `${segmentCount(scope.prefix)}` } : {}),
    kid: keyId,
  };
  said.sig = keys.prove(keyId, signedParts(user, scope, said));
  const malformed = namesOf(said).find((name) => !isWellFormed(name, said[name]));
  if (malformed !== undefined) throw badLink(`its ${malformed} is out of bounds`);
  const times = {
    expiresAtMs: exp * 1_000,
    ...(nbf === undefined ? {} : { notBeforeMs: nbf * 1_000 }),
  };
  return { path: pathWith(user, scope, said), keyId, ...times };
}

/** Whether a query bears a link, be it a good one or not. */
export function bearsLink(query: URLSearchParams): boolean {
  return query.has("sig") || query.has("kid");
}

export interface LinkTerms {
  readonly nowMs: number;
  /** Asked only for a link that is bound to an address; undefined when it cannot be known. */
  readonly clientAddress: () => string | undefined;
}

/**
 * Checks the link that a target bears.
 * @throws DsmError FORBIDDEN with the reason: malformed, wrong signature, expired, not yet valid,
 * for another address
 */
export function openLink(keys: LinkKeys, target: MediaTarget, terms: LinkTerms): LinkGrant {
  const said = readParameters(target.query);
  const { exp = "", nbf, ip, kid = "", sig = "" } = said;
  const scope = scopeOf(target.fileId, said.pre);
  // A key that is not known is not told from a wrong signature, and takes the same time.
  if (!sameProof(sig, keys.prove(kid, signedParts(target.user, scope, said)))) {
    throw refused("it was changed, or its key is not known here (any more)");
  }
  if ("prefix" in scope && !target.fileId.startsWith(scope.prefix)) {
    throw refused("the file is not below its prefix");
  }
  const expiresAtMs = Number(exp) * 1_000;
  if (expiresAtMs <= terms.nowMs) throw refused(`it expired at ${timeText(expiresAtMs)}`);
  if (nbf !== undefined && Number(nbf) * 1_000 > terms.nowMs) {
    throw refused(`it is good from ${timeText(Number(nbf) * 1_000)} on`);
  }
  const grant = { downloadOnly: said.dl !== undefined, expiresAtMs };
  if (ip === undefined) return grant;
  const clientAddress = canonicalAddress(ip);
  if (clientAddress === undefined || clientAddress !== terms.clientAddress()) {
    throw refused("it is for another address than the one that asks");
  }
  return { ...grant, clientAddress };
}

/** All that a link binds. What is left out is bound as such: "" is no value of any parameter. */
function signedParts(user: string, scope: LinkScope, said: Parameters): string[] {
  const bound = "prefix" in scope ? ["prefix", scope.prefix] : ["file", scope.fileId];
  return [user, ...bound, said.exp ?? "", said.nbf ?? "", said.dl ?? "", said.ip ?? ""];
}

function scopeOf(fileId: string, pre: string | undefined): LinkScope {
  if (pre === undefined) return { fileId };
  const segments = fileId.split("/").slice(0, Number(pre));
  return { prefix: segments.map((segment) => `${segment}/`).join("") };
}

/** @throws DsmError FORBIDDEN: a parameter is missing, malformed or there twice */
function readParameters(query: URLSearchParams): Parameters {
  const said: Parameters = {};
  for (const name of namesOf(parameters)) {
    const values = query.getAll(name);
    if (values.length > 1) throw refused(`it has ${name} more than once`);
    const [value] = values;
    if (value === undefined) continue;
    if (!isWellFormed(name, value)) throw refused(`its ${name} is malformed`);
    said[name] = value;
  }
  const missing = (["exp", "kid", "sig"] as const).find((name) => said[name] === undefined);
  if (missing !== undefined) throw refused(`it has no ${missing}`);
  return said;
}

function isWellFormed(name: keyof Parameters, value: string | undefined): boolean {
  return value !== undefined && parameters[name].test(value);
}

function namesOf(of: Partial<Record<keyof Parameters, unknown>>): Array<keyof Parameters> {
  return Object.keys(of) as Array<keyof Parameters>;
}

/** For a file in the query; for a prefix in the path, so that the rest can be appended. */
function pathWith(user: string, scope: LinkScope, said: Parameters): string {
  // No value of a parameter holds a character that would have to be escaped (RFC 3986, 3.3, 3.4).
  const written = namesOf(said)
    .map((name) => `${name}=${said[name]}`)
    .join("&");
  if ("fileId" in scope) return `${mediaPath(user, scope.fileId)}?${written}`;
  const last = "x";
  const below = mediaPath(user, `${scope.prefix}${last}`).slice(0, -last.length);
  return below.replace("/media/", `/media/~${written}/`);
}

/** @throws DsmError BAD_REQUEST */
function segmentCount(prefix: string): number {
  if (prefix === "") return 0;
  if (!prefix.endsWith("/")) throw badLink('its prefix must be empty or end with "/"');
  const fault = fileIdFault(prefix.slice(0, -1));
  if (fault !== undefined) throw badLink(`its prefix is none: ${fault}`);
  return prefix.split("/").length - 1;
}

/** @throws DsmError BAD_REQUEST */
function addressOf(written: string): string {
  const address = canonicalAddress(written);
  if (address === undefined) throw badLink("its client address is no IP address");
  return address;
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function badLink(why: string): DsmError {
  return new DsmError("BAD_REQUEST", `no such link can be made: ${why}`, {
    remedy: "see the section on signed links in docs/OPERATIONS.md",
  });
}

function refused(why: string): DsmError {
  return new DsmError("FORBIDDEN", `the link is refused: ${why}`, {
    remedy: "ask whoever gave it to you for a new one",
  });
}
