import type { RequestInfo } from "@dsm/delivery";
import { bearsLink, DsmError, type LinkKeys, type MediaTarget, openLink } from "@dsm/protocol";
import type { Access } from "./access.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

/** What a reader who is let in may do. */
export interface ReadGrant {
  /** Not everybody may read this: no cache that clients share may keep the answer. */
  readonly isPrivate: boolean;
  /** The bytes leave as an attachment, whatever the URL asks for. */
  readonly downloadOnly: boolean;
  /** Until when the right is good; forever where it is undefined. */
  readonly expiresAtMs?: number | undefined;
  /** The only address that may use it; any where it is undefined. */
  readonly clientAddress?: string | undefined;
}

/** Who asks; looked up only where it matters. */
type Peer = Pick<RequestInfo, "remoteAddress">;

/** Who may read. */
export interface ReadAccess {
  /** @throws DsmError UNAUTHENTICATED or FORBIDDEN */
  admit(request: Request, target: MediaTarget, peer: Peer): ReadGrant;
}

/** `signed`: whoever has a signed link or the write key; `public`: everybody. */
export type ReadsMode = "public" | "signed";

export interface ReadRules {
  readonly mode: ReadsMode;
  readonly keys: LinkKeys;
  readonly proxies: Pick<TrustedProxies, "clientAddress">;
  readonly access: Pick<Access, "holdsWriteKey">;
}

/**
 * A link that is there always counts, in public mode too: one that is bad is refused although the
 * bare URL would do, so that whoever made it takes notice, and one for download downloads.
 * @throws DsmError BAD_CONFIG for signed reads without a key
 */
export function readAccess({ mode, keys, proxies, access }: ReadRules): ReadAccess {
  if (mode === "signed" && keys.signerId === undefined) {
    throw new DsmError("BAD_CONFIG", "signed reads need a link key", {
      remedy: "set DSM_LINK_KEYS, or link_keys in [gateway]",
    });
  }
  return {
    admit(request, target, peer) {
      if (bearsLink(target.query)) {
        const clientAddress = () => proxies.clientAddress(request.headers, peer.remoteAddress);
        return { isPrivate: true, ...openLink(keys, target, { nowMs: Date.now(), clientAddress }) };
      }
      if (mode === "public") return { isPrivate: false, downloadOnly: false };
      if (access.holdsWriteKey(request)) return { isPrivate: true, downloadOnly: false };
      throw new DsmError("UNAUTHENTICATED", "reading needs a signed link", {
        remedy: "get one from whoever runs the gateway: dsm url, or POST /api/v1/links",
      });
    },
  };
}
