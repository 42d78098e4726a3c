import { DsmError } from "@dsm/protocol";
import type { Outgoing } from "./outgoing.ts";

type Chunks = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Written at a time, so that a slow reader shows its progress at least so often. */
const pieceBytes = 256 * 1024;

/**
 * Sends a fetch Response through node:http, no faster than the client reads. Headers leave with
 * the first chunk. When the client goes away, or takes nothing for `stallTimeoutMs`, the body is
 * cancelled at once, and that is no error.
 * @throws what the body throws, or INTERNAL for a body of another length than its Content-Length;
 * the caller must break the connection then, for a short body must never look complete
 */
export async function sendResponse(
  response: Response,
  outgoing: Outgoing,
  stallTimeoutMs: number,
): Promise<void> {
  outgoing.setHead(response.status, response.headers);
  const { body } = response;
  if (body === null || outgoing.method === "HEAD") {
    await body?.cancel();
    outgoing.end();
    return;
  }
  const chunks: Chunks = body.getReader();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  outgoing.onceClosed(end);
  // Cancelling ends a source that waits for its next chunk too, and does nothing to one that was
  // read to its end.
  const cancelled = over.then(() => chunks.cancel(new Error("the client left")));
  await Promise.all([pump(chunks, outgoing, stallTimeoutMs).finally(end), cancelled]);
}

async function pump(chunks: Chunks, outgoing: Outgoing, stallTimeoutMs: number) {
  const lengthBytes = outgoing.contentLength() ?? anyLength;
  const moved = movement(outgoing, stallTimeoutMs);
  let sentBytes = 0;
  for (;;) {
    const { done, value } = await chunks.read();
    if (outgoing.gone) return;
    if (done) break;
    sentBytes += value.byteLength;
    if (sentBytes > lengthBytes) throw wrongLength(`more than the ${lengthBytes}`);
    for (let at = 0; at < value.byteLength && !outgoing.gone; at += pieceBytes) {
      outgoing.write(value.subarray(at, at + pieceBytes));
      while (outgoing.full && !outgoing.gone) await moved();
    }
  }
  if (lengthBytes !== anyLength && sentBytes !== lengthBytes) {
    throw wrongLength(`${sentBytes} of the ${lengthBytes}`);
  }
  outgoing.end();
  await moved();
}

const anyLength = Number.POSITIVE_INFINITY;

/**
 * Waits until the client has taken something of what was written, or is gone, with one set of
 * listeners for all waits. The timer is ours, for the socket's own does not fire while a write is
 * pending (Bun 1.4.5).
 */
function movement(outgoing: Outgoing, stallTimeoutMs: number): () => Promise<void> {
  let wake: (() => void) | undefined;
  outgoing.onMove(() => wake?.());
  return async () => {
    if (outgoing.gone || outgoing.finished) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    const timer = setTimeout(() => outgoing.destroy(), stallTimeoutMs);
    await promise;
    clearTimeout(timer);
  };
}

function wrongLength(what: string): DsmError {
  return new DsmError("INTERNAL", `a body had ${what} bytes that its Content-Length announced`);
}
