import type { IncomingMessage } from "node:http";
import { DsmError } from "@dsm/protocol";
import { fetchRequest } from "./fetch-request.ts";

/**
 * A request of node:http as a fetch Request.
 * @throws DsmError BAD_REQUEST when its target and its Host make no URL, METHOD_NOT_ALLOWED for a
 * method that fetch forbids
 */
export function requestOf(
  incoming: IncomingMessage,
  scheme: "http" | "https",
  signal: AbortSignal,
): Request {
  const method = incoming.method ?? "GET";
  const url = urlOf(incoming, scheme);
  const init = { method, headers: fieldsOf(incoming.rawHeaders), signal };
  const hasBody = method !== "GET" && method !== "HEAD" && announcesBody(incoming);
  return fetchRequest(url, hasBody ? { ...init, body: bodyOf(incoming) } : init);
}

function urlOf(incoming: IncomingMessage, scheme: string): string {
  const target = incoming.url ?? "/";
  const { host } = incoming.headers;
  // RFC 9112, section 3.2: node:http looks at that by itself, node:http2 with HTTP/1.1 does not.
  if (host === undefined && incoming.httpVersion === "1.1") {
    throw new DsmError("BAD_REQUEST", "the request names no host", {
      remedy: "send a Host header",
    });
  }
  // RFC 9112, section 3.2.2: a server must accept the absolute form too.
  const isAbsolute = /^https?:\/\//i.test(target);
  const text = isAbsolute ? target : `${scheme}://${host || "localhost"}${target}`;
  const url = isAbsolute || target.startsWith("/") ? URL.parse(text) : null;
  if (url !== null) return url.href;
  throw new DsmError("BAD_REQUEST", "the request target and the Host header make no URL", {
    remedy: "send a path and the name of a host",
  });
}

/** A head or trailers, as node:http has them: names and values by turns. */
export function fieldsOf(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  return headers;
}

/**
 * RFC 9112, section 6.3: only these two announce the body of a request.
 * @throws DsmError BAD_REQUEST for a transfer coding that would have to be undone (section 6.1)
 */
function announcesBody(incoming: IncomingMessage): boolean {
  const { headers } = incoming;
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && coding.trim().toLowerCase() !== "chunked") {
    throw new DsmError("BAD_REQUEST", "no transfer coding but chunked is understood", {
      remedy: "send the bytes of the file as they are",
    });
  }
  return headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
}

/**
 * Read no faster than it is taken, and ended only when all of it has arrived: whoever stores an
 * upload relies on that. A handler that stops reading leaves the connection to the answer.
 */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const { socket } = incoming;
  const chunks = incoming.iterator({ destroyOnReturn: false });
  // http.Server of Bun 1.4.5 holds back by itself only what its own listener has accepted.
  socket.pause();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        socket.resume();
        const { done, value } = await nextChunk(chunks);
        if (done !== true) {
          socket.pause();
          controller.enqueue(value);
          return;
        }
        if (!incoming.complete) throw cutShort();
        controller.close();
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    // What node:http holds is enough of a buffer.
    { highWaterMark: 0 },
  );
}

async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch (cause) {
    throw cutShort(cause);
  }
}

function cutShort(cause?: unknown): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", "the client left before it had sent the whole body", {
    remedy: "send it again",
    cause,
  });
}
