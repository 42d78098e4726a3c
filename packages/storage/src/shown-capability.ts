import type { RequestInfo } from "@dsm/delivery";
import {
  assertCovers,
  type CapabilityClaims,
  type ClusterSecret,
  DsmError,
  type Intent,
  limits,
  type MediaTarget,
  openCapability,
} from "@dsm/protocol";
import { LRUCache } from "lru-cache";

interface Shown {
  readonly request: Request;
  readonly info: Pick<RequestInfo, "remoteAddress">;
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
  { request, info, target, intent }: Shown,
): CapabilityClaims {
  const { user, fileId } = target;
  const claims = openOnce(secret, tokenOf(request, target, intent));
  assertCovers(claims, {
    intent,
    group,
    user,
    fileId,
    // Asking the socket costs more than the rest, and few capabilities are bound to an address.
    get remoteAddress() {
      return info.remoteAddress;
    },
  });
  return claims;
}

const opened = new WeakMap<ClusterSecret, LRUCache<string, CapabilityClaims>>();

/** A client shows one capability many times; what was proven once is proven until it expires. */
function openOnce(secret: ClusterSecret, token: string): CapabilityClaims {
  let known = opened.get(secret);
  if (known === undefined) {
    known = new LRUCache({ max: limits.openedCapabilitiesMax });
    opened.set(secret, known);
  }
  const nowMs = Date.now();
  const before = known.get(token);
  if (before !== undefined && before.expiresAtMs > nowMs) return before;
  const claims = openCapability(secret, token, nowMs);
  known.set(token, claims);
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
