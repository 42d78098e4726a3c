import { z } from "zod";
import { readVersion, versionSchema, writeVersion } from "./capability-version.ts";
import { DsmError } from "./errors.ts";
import { type FileInfo, fileIdSchema, type Intent, nameSchema, timeMsSchema } from "./file-info.ts";
import { canonicalAddress } from "./ip-address.ts";
import { type ClusterSecret, sameProof } from "./secret.ts";

/**
 * A capability is the right to read, write or delete as one user in one group for a short time.
 * Trackers sign it, and gateways for those whom they redirect; storages check it on their data
 * port without asking anyone.
 */
export interface CapabilityClaims {
  readonly intent: Intent;
  readonly user: string;
  readonly group: string;
  /** Bound to this file; without it, to all files of the user. */
  readonly fileId?: string | undefined;
  /** A read pinned to one version of that file: the storage serves this blob and no other. */
  readonly file?: FileInfo | undefined;
  readonly expiresAtMs: number;
  /** Everybody may read the file: shared caches may keep the answer, where they are let to. */
  readonly isPublic?: true | undefined;
  /** The holder keeps it for long: the storage asks now and then whether the file still exists. */
  readonly isWatched?: true | undefined;
  /** The bytes as they lie on the storage's disk, damaged or not: for members that heal theirs. */
  readonly isRaw?: true | undefined;
  /** The bytes leave as an attachment. */
  readonly downloadOnly?: true | undefined;
  /** The only IP address that may use it. */
  readonly clientAddress?: string | undefined;
}

/** What a capability is shown for. */
interface CapabilityUse {
  readonly intent: Intent;
  readonly group: string;
  readonly user: string;
  readonly fileId: string;
  /** The peer's, as its socket names it. */
  readonly remoteAddress: string;
}

const flag = z.literal(1).optional();

/**
 * The claims as they are written. A capability may stand in a URL, so names are short, and what
 * the version has in common with the claims is said once.
 */
const writtenSchema = z.strictObject({
  i: z.enum(["r", "w", "d"]),
  u: nameSchema,
  g: nameSchema,
  f: fileIdSchema.optional(),
  v: versionSchema.optional(),
  e: timeMsSchema,
  pub: flag,
  wat: flag,
  raw: flag,
  dl: flag,
  ip: z.string().max(45).optional(),
});
type Written = z.infer<typeof writtenSchema>;

const intents = { r: "read", w: "write", d: "delete" } as const;
const letters = { read: "r", write: "w", delete: "d" } as const;
const purpose = "capability v1";

/** @throws TypeError for a version that is not one of the file that the claims name */
export function signCapability(secret: ClusterSecret, claims: CapabilityClaims): string {
  const payload = Buffer.from(JSON.stringify(writtenOf(claims))).toString("base64url");
  return `${payload}.${secret.prove(purpose, [payload])}`;
}

/** @throws DsmError FORBIDDEN with the reason: malformed, wrong signature, expired */
export function openCapability(
  secret: ClusterSecret,
  token: string,
  nowMs: number,
): CapabilityClaims {
  const [payload, proof, ...rest] = token.split(".");
  if (payload === undefined || proof === undefined || rest.length > 0) {
    throw refused("it is malformed");
  }
  if (!sameProof(proof, secret.prove(purpose, [payload]))) {
    throw refused("its signature was not made with this cluster's secret");
  }
  const written = writtenSchema.safeParse(jsonOf(payload));
  const claims = written.success ? claimsOf(written.data) : undefined;
  if (claims === undefined) throw refused("its claims are not of this version");
  if (claims.expiresAtMs <= nowMs) throw refused("it has expired");
  return claims;
}

/** @throws DsmError FORBIDDEN when the claims do not cover the use */
export function assertCovers(claims: CapabilityClaims, use: CapabilityUse): void {
  if (claims.intent !== use.intent) throw refused(`it is for ${claims.intent} only`);
  if (claims.group !== use.group) throw refused(`it is for group ${claims.group}`);
  if (claims.user !== use.user) throw refused("it is for another user");
  if (claims.fileId !== undefined && claims.fileId !== use.fileId) {
    throw refused("it is for another file");
  }
  const { clientAddress } = claims;
  if (clientAddress !== undefined && clientAddress !== canonicalAddress(use.remoteAddress)) {
    throw refused("it is for another address than the one that asks");
  }
}

function writtenOf(claims: CapabilityClaims): Written {
  const { intent, user, group, fileId, file, expiresAtMs, clientAddress } = claims;
  if (file !== undefined && !isOneOf(file, claims)) {
    throw new TypeError("the pinned version is of another file than the capability");
  }
  return {
    i: letters[intent],
    u: user,
    g: group,
    ...(fileId === undefined ? {} : { f: fileId }),
    ...(file === undefined ? {} : { v: writeVersion(file) }),
    e: expiresAtMs,
    ...(claims.isPublic === true ? { pub: 1 } : {}),
    ...(claims.isWatched === true ? { wat: 1 } : {}),
    ...(claims.isRaw === true ? { raw: 1 } : {}),
    ...(claims.downloadOnly === true ? { dl: 1 } : {}),
    ...(clientAddress === undefined ? {} : { ip: clientAddress }),
  };
}

function isOneOf(file: FileInfo, { user, group, fileId }: CapabilityClaims): boolean {
  return file.user === user && file.group === group && file.fileId === fileId;
}

/** Undefined for a version of no file. */
function claimsOf({ i, u: user, g: group, f: fileId, v, e, pub, wat, raw, dl, ip }: Written) {
  if (v !== undefined && fileId === undefined) return undefined;
  const claims: CapabilityClaims = {
    intent: intents[i],
    user,
    group,
    ...(fileId === undefined ? {} : { fileId }),
    ...(v === undefined || fileId === undefined
      ? {}
      : { file: readVersion({ user, group, fileId }, v) }),
    expiresAtMs: e,
    ...(pub === undefined ? {} : { isPublic: true }),
    ...(wat === undefined ? {} : { isWatched: true }),
    ...(raw === undefined ? {} : { isRaw: true }),
    ...(dl === undefined ? {} : { downloadOnly: true }),
    ...(ip === undefined ? {} : { clientAddress: ip }),
  };
  return claims;
}

/** Undefined when the payload is not JSON: a holder of the secret may sign anything. */
function jsonOf(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  } catch {
    return undefined;
  }
}

function refused(why: string): DsmError {
  return new DsmError("FORBIDDEN", `the capability is refused: ${why}`, {
    remedy: "locate the file again: ask a tracker, or the gateway that redirected here",
  });
}
