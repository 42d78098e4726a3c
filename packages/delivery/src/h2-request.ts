import type { Http2ServerRequest } from "node:http2";
import { DsmError } from "@dsm/protocol";
import { fetchRequest } from "./fetch-request.ts";
import { guardedUpload } from "./guarded-upload.ts";
import { assertHost } from "./host-check.ts";
import { joinedChunks } from "./joined-chunks.ts";

/**
 * A request of node:http2 as a fetch Request.
 * @param stallTimeoutMs a body of which nothing comes for so long fails
 * @throws DsmError BAD_REQUEST when its target and its authority make no URL, METHOD_NOT_ALLOWED
 * for a method that fetch forbids
 */
export function h2RequestOf(
  incoming: Http2ServerRequest,
  signal: AbortSignal,
  stallTimeoutMs: number,
): Request {
  const { method } = incoming;
  const host = incoming.authority || incoming.headers.host || "";
  assertHost(host);
  const url = URL.parse(`https://${host}${incoming.url}`);
  if (url === null || !incoming.url.startsWith("/")) {
    throw new DsmError("BAD_REQUEST", "the path and the authority of the request make no URL", {
      remedy: "send a path and the name of a host",
    });
  }
  const init = { method, headers: h2FieldsOf(incoming.rawHeaders), signal };
  const hasBody = method !== "GET" && method !== "HEAD" && !incoming.stream.endAfterHeaders;
  if (!hasBody) return fetchRequest(url.href, init);
  const request = fetchRequest(url.href, { ...init, body: bodyOf(incoming) });
  return guardedUpload(request, stallTimeoutMs);
}

/** RFC 9113, section 8.3: names with a colon are the request line. */
export function h2FieldsOf(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (!name.startsWith(":")) headers.append(name, rawHeaders[at + 1] ?? "");
  }
  return headers;
}

/**
 * Frames of HTTP/2 are small, and a fetch that sends a body of small chunks on keeps far more of
 * them in memory than it can send (docs/BUN.md).
 */
const joinTerms = { bytes: 256 * 1024, waitMs: 50 };

/**
 * Read no faster than it is taken. When a stream is reset Bun 1.4.5 ends the body as if it were
 * whole and says so by `aborted` alone: whoever stores an upload relies on the difference. It
 * resets those streams too whose body is not as long as their Content-Length (RFC 9113, 8.1.1).
 */
function bodyOf(incoming: Http2ServerRequest): ReadableStream<Uint8Array> {
  const frames: AsyncIterable<Uint8Array> = incoming.iterator({ destroyOnReturn: false });
  const chunks = joinedChunks(frames, joinTerms);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next().catch((cause: unknown) => {
          throw cutShort(cause);
        });
        if (done !== true) {
          controller.enqueue(value);
          return;
        }
        if (incoming.aborted) throw cutShort();
        controller.close();
      },
      async cancel() {
        await chunks.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function cutShort(cause?: unknown): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", "the client left before it had sent the whole body", {
    remedy: "send it again",
    cause,
  });
}
