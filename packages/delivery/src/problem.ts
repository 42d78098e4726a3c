import { type DsmError, errorTable, wantedDigest } from "@dsm/protocol";

/** How long a client waits before it asks again a server that is unavailable. */
const retryAfterS = 1;

/**
 * An error as HTTP: problem JSON (RFC 9457) with the stable code and the remedy, never with the
 * cause. What an INTERNAL error says stays here: it may name anything. The servers of this
 * package send the headers alone to a HEAD.
 */
export function problemResponse(error: DsmError, extra?: Bun.HeadersInit): Response {
  const { http: status, title, retryable } = errorTable[error.code];
  const isInternal = error.code === "INTERNAL";
  const problem = {
    type: `urn:dsm:error:${error.code}`,
    title,
    status,
    detail: isInternal ? "the server failed in a way that it did not foresee" : error.message,
    code: error.code,
    remedy: isInternal ? "look at the server's log" : error.remedy,
  };
  const headers = new Headers(extra);
  const body = Buffer.from(JSON.stringify(problem));
  headers.set("content-type", "application/problem+json");
  // Said to a HEAD as well, so that it has the headers of GET (RFC 9110, section 9.3.2).
  headers.set("content-length", `${body.length}`);
  headers.set("cache-control", "no-store");
  // RFC 9110, section 15.5.2: a 401 must name a scheme that would do.
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="dsm"');
  // RFC 9530, section 4: what would have been checked.
  if (error.code === "DIGEST_UNSUPPORTED") headers.set("want-repr-digest", wantedDigest);
  if (status === 503 && retryable) headers.set("retry-after", `${retryAfterS}`);
  return new Response(body, { status, headers });
}
