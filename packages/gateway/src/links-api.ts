import {
  DsmError,
  limits,
  type LinkAnswer,
  type LinkKeys,
  parseLinkRequest,
  signLink,
} from "@dsm/protocol";
import { jsonBody } from "./json-body.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

export interface LinkMaking {
  readonly keys: LinkKeys;
  readonly proxies: Pick<TrustedProxies, "origin">;
  /** What the URLs of links begin with; the origin of the request unless given. */
  readonly publicUrl?: string | undefined;
}

/**
 * POST /api/v1/links: signs a link for a file or for all files under a prefix.
 * @throws DsmError BAD_REQUEST, TOO_LARGE, or UNKNOWN_ROUTE where there is no key to sign with
 */
export async function makeLink(
  { keys, proxies, publicUrl }: LinkMaking,
  request: Request,
  remoteAddress: string,
): Promise<Response> {
  if (keys.signerId === undefined) {
    throw new DsmError("UNKNOWN_ROUTE", "this gateway signs no links: it has no link key", {
      remedy: "set DSM_LINK_KEYS, or link_keys in [gateway]",
    });
  }
  const wanted = await jsonBody(request, limits.apiBodyMaxBytes);
  const signed = signLink(keys, parseLinkRequest(wanted, Date.now()));
  const base = publicUrl?.replace(/\/+$/, "") ?? proxies.origin(request, remoteAddress);
  const answer: LinkAnswer = { url: `${base}${signed.path}`, ...signed };
  return Response.json(answer, { headers: { "Cache-Control": "no-store" } });
}
