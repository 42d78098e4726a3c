import {
  assertCovers,
  type CapabilityClaims,
  type ClusterSecret,
  DsmError,
  type Intent,
  type MediaTarget,
  openCapability,
} from "@dsm/protocol";

interface Shown {
  readonly request: Request;
  readonly remoteAddress: string;
  readonly target: MediaTarget;
  readonly intent: Intent;
}

/**
 * The capability that a request shows, as `Authorization: Bearer` or, to read, as the parameter
 * `capability` of its URL, for clients that only follow a link.
 * @throws DsmError UNAUTHENTICATED where there is none, FORBIDDEN for one that does not cover the
 * request, BAD_REQUEST for more than one (RFC 6750, section 2)
 */
export function shownCapability(
  { secret, group }: { secret: ClusterSecret; group: string },
  { request, remoteAddress, target, intent }: Shown,
): CapabilityClaims {
  const { user, fileId } = target;
  const claims = openCapability(secret, tokenOf(request, target, intent), Date.now());
  assertCovers(claims, { intent, group, user, fileId, remoteAddress });
  return claims;
}

function tokenOf(request: Request, { query }: MediaTarget, intent: Intent): string {
  const authorization = request.headers.get("Authorization") ?? "";
  const inHeader = /^Bearer +(.+)$/i.exec(authorization)?.[1];
  // Whoever can be made to follow a link must not change anything by it.
  const inQuery = intent === "read" ? query.getAll("capability") : [];
  const [token, ...more] = inHeader === undefined ? inQuery : [inHeader, ...inQuery];
  if (more.length > 0) {
    throw new DsmError("BAD_REQUEST", "the request shows more than one capability", {
      remedy: "send it either as Authorization: Bearer or as ?capability=, and once",
    });
  }
  if (token !== undefined) return token;
  throw new DsmError("UNAUTHENTICATED", "the data port asks for a capability", {
    remedy: "ask a tracker to locate the file, or read it through the gateway",
  });
}
