import { DsmError } from "@dsm/protocol";

/**
 * The fetch Request of exactly this method. Bun 1.4.5 makes a GET of a method that it does not
 * know, and methods are case-sensitive (RFC 9110, section 9.1).
 * @throws DsmError METHOD_NOT_ALLOWED for a method that it forbids or changes
 */
export function fetchRequest(url: string, init: RequestInit & { method: string }): Request {
  const { method } = init;
  const notServed = (cause?: unknown) =>
    new DsmError("METHOD_NOT_ALLOWED", `${method} is not served here`, {
      remedy: "see the answer to OPTIONS for what is",
      cause,
    });
  let request: Request;
  try {
    request = new Request(url, init);
  } catch (cause) {
    throw notServed(cause);
  }
  if (request.method !== method) throw notServed();
  return request;
}
