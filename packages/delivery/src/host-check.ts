import { DsmError } from "@dsm/protocol";

// RFC 3986, section 3.2: a registered name, an IPv4 address or an IP literal, and a port. No
// user information, which http forbids (RFC 9110, section 4.2.4).
const hostPattern =
  /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?$/;

/**
 * Two Host lines arrive joined by a comma and a space, so they fail too. What passes can change
 * nothing but the authority of the URL that is made from it and from the request's target.
 * @throws DsmError BAD_REQUEST (RFC 9112, section 3.2)
 */
export function assertHost(host: string): void {
  if (hostPattern.test(host)) return;
  throw new DsmError("BAD_REQUEST", "the Host header is no host", {
    remedy: "send it once, as the name of a host with or without a port",
  });
}

/**
 * The request with its Host checked and its URL absolute: Bun.serve gives the path alone where
 * there is no Host, as HTTP/1.0 may (RFC 9112, section 3.2).
 * @throws DsmError BAD_REQUEST
 */
export function withHost(request: Request): Request {
  const host = request.headers.get("host");
  if (host !== null) assertHost(host);
  return request.url.startsWith("/")
    ? new Request(`http://localhost${request.url}`, request)
    : request;
}
