import { z } from "zod";
import { DsmError } from "./errors.ts";
import {
  fileIdSchema,
  fileInfoSchema,
  nameSchema,
  timeMsSchema,
  type Intent,
  intentSchema,
} from "./file-info.ts";
import { type ClusterSecret, sameProof } from "./secret.ts";

/**
 * A capability is the right to read, write or delete as one user in one group for a short time.
 * Trackers sign it, storages check it on their data port without asking anyone.
 */
const claimsSchema = z.object({
  intent: intentSchema,
  user: nameSchema,
  group: nameSchema,
  /** Bound to this file; without it, to all files of the user. */
  fileId: fileIdSchema.optional(),
  /** A read pinned to one version: the storage serves exactly this blob and no other. */
  file: fileInfoSchema.optional(),
  expiresAtMs: timeMsSchema,
});

export type CapabilityClaims = z.infer<typeof claimsSchema>;

const purpose = "capability v1";

export function signCapability(secret: ClusterSecret, claims: CapabilityClaims): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
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
  const claims = claimsSchema.safeParse(jsonOf(payload));
  if (!claims.success) throw refused("its claims are not of this version");
  if (claims.data.expiresAtMs <= nowMs) throw refused("it has expired");
  return claims.data;
}

/** @throws DsmError FORBIDDEN when the claims do not cover the request */
export function assertCovers(
  claims: CapabilityClaims,
  request: {
    intent: Intent;
    group: string;
    user: string;
    fileId: string;
  },
): void {
  if (claims.intent !== request.intent) throw refused(`it is for ${claims.intent} only`);
  if (claims.group !== request.group) throw refused(`it is for group ${claims.group}`);
  if (claims.user !== request.user) throw refused("it is for another user");
  if (claims.fileId !== undefined && claims.fileId !== request.fileId) {
    throw refused("it is for another file");
  }
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
    remedy: "ask a tracker to locate the file again",
  });
}
