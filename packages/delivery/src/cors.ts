import type { FetchHandler } from "./engine.ts";
import { allowOf, type Route } from "./route.ts";

/** What pages of other origins may do here (the Fetch standard's CORS protocol). */
export interface CorsOptions {
  /**
   * Origins as browsers send them, `https://player.example`; pages of these may use every method.
   * `*` stands for all others, which may read where a route says so and never write: a server
   * without keys, on loopback, is in reach of every page that its user opens.
   */
  readonly origins: readonly string[];
  /** The route of a URL's path; undefined where there is none. */
  readonly routeOf: (path: string) => Route | undefined;
}

/**
 * The same handler, with the headers that let a player on another origin read its answers, errors
 * too. OPTIONS is answered here and needs no right: a preflight carries none, and what it tells
 * is no secret. Cookies have no part in dsm, so credentials are never allowed.
 */
export function withCors(fetch: FetchHandler, options: CorsOptions): FetchHandler {
  const { routeOf } = options;
  const named = new Set(options.origins);
  const any = named.delete("*");
  return async (request, info) => {
    const { method, headers } = request;
    const route = routeOf(pathOf(request.url));
    const origin = headers.get("origin");
    if (method === "OPTIONS" && route !== undefined) {
      const wanted = headers.get("access-control-request-method");
      const isPreflight = origin !== null && wanted !== null;
      const grant = grantFor(route, isPreflight ? wanted : method, origin);
      return optionsResponse(route, grant, isPreflight ? headers : undefined);
    }
    const response = await fetch(request, info);
    grantTo(response.headers, grantFor(route, method, origin));
    return response;
  };

  function grantFor(route: Route | undefined, method: string, origin: string | null): Grant {
    const isRead = method === "GET" || method === "HEAD";
    if (any && isRead && route?.readByAnyOrigin === true) return toAnyOrigin;
    if (named.size === 0) return toNobody;
    return { allowed: origin !== null && named.has(origin) ? origin : undefined, varies: true };
  }
}

interface Grant {
  /** The value of Access-Control-Allow-Origin; undefined where the answer may not be read. */
  readonly allowed: string | undefined;
  /** Another Origin would have had another answer. */
  readonly varies: boolean;
}

const toAnyOrigin: Grant = { allowed: "*", varies: false };
const toNobody: Grant = { allowed: undefined, varies: false };

/** What a player may read besides the few headers that browsers always show. */
const exposed = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Length",
  "Content-Range",
  "ETag",
  "Last-Modified",
  "Repr-Digest",
].join(", ");

function grantTo(headers: Headers, { allowed, varies }: Grant): void {
  if (varies) headers.append("vary", "Origin");
  if (allowed === undefined) return;
  headers.set("access-control-allow-origin", allowed);
  headers.set("access-control-expose-headers", exposed);
  // For pages that embed nothing without it (Cross-Origin-Embedder-Policy: require-corp).
  headers.set("cross-origin-resource-policy", "cross-origin");
}

/** What Chromium keeps an answer to a preflight for at most, in seconds. */
const preflightMaxAgeS = 7200;

/** RFC 9110, section 9.3.7, and to a preflight what the Fetch standard asks for. */
function optionsResponse(route: Route, { allowed }: Grant, preflight: Headers | undefined) {
  const headers = new Headers({ allow: allowOf(route) });
  if (preflight === undefined) return new Response(null, { status: 204, headers });
  // OPTIONS is not cacheable, yet some CDNs can be told to keep it.
  headers.set("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  if (allowed === undefined) return new Response(null, { status: 204, headers });
  const methods = allowed === "*" ? ["GET", "HEAD"] : route.methods;
  headers.set("access-control-allow-origin", allowed);
  headers.set("access-control-allow-methods", methods.join(", "));
  headers.set("access-control-max-age", `${preflightMaxAgeS}`);
  const asked = preflight.get("access-control-request-headers");
  if (asked !== null && isNameList(asked)) headers.set("access-control-allow-headers", asked);
  return new Response(null, { status: 204, headers });
}

/** Every header may be sent; a list of them is repeated, and nothing else is. */
function isNameList(value: string): boolean {
  return (
    value.length <= 1024 && /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/.test(value)
  );
}

function pathOf(url: string): string {
  const at = url.indexOf("/", url.indexOf("//") + 2);
  const query = url.indexOf("?", at);
  return query < 0 ? url.slice(at) : url.slice(at, query);
}
