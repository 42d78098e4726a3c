import type { ServerResponse } from "node:http";
import { DsmError } from "@dsm/protocol";

type Chunks = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/**
 * Sends a fetch Response through node:http, no faster than the client reads. Headers leave with
 * the first chunk. When the client goes away the body is cancelled at once, and that is no error.
 * @throws what the body throws, or INTERNAL for a body of another length than its Content-Length;
 * the caller must break the connection then, for a short body must never look complete
 */
export async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  const { body } = response;
  if (body === null || outgoing.req.method === "HEAD") {
    await body?.cancel();
    outgoing.end();
    return;
  }
  const chunks: Chunks = body.getReader();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  outgoing.once("close", end);
  // Cancelling ends a source that waits for its next chunk too, and does nothing to one that was
  // read to its end.
  const cancelled = over.then(() => chunks.cancel(new Error("the client left")));
  await Promise.all([pump(chunks, outgoing).finally(end), cancelled]);
}

async function pump(chunks: Chunks, outgoing: ServerResponse): Promise<void> {
  const lengthBytes = lengthOf(outgoing);
  const writable = writability(outgoing);
  let sentBytes = 0;
  for (;;) {
    const { done, value } = await chunks.read();
    if (outgoing.destroyed) return;
    if (done) break;
    sentBytes += value.byteLength;
    if (sentBytes > lengthBytes) throw wrongLength(`more than the ${lengthBytes}`);
    if (!outgoing.write(value)) await writable();
  }
  if (lengthBytes !== anyLength && sentBytes !== lengthBytes) {
    throw wrongLength(`${sentBytes} of the ${lengthBytes}`);
  }
  outgoing.end();
}

const anyLength = Number.POSITIVE_INFINITY;

function lengthOf(outgoing: ServerResponse): number {
  const header = outgoing.getHeader("content-length");
  return header === undefined ? anyLength : Number(header);
}

/** Waits until the response takes more or is closed, with one listener for all waits. */
function writability(outgoing: ServerResponse): () => Promise<void> {
  let wake: (() => void) | undefined;
  outgoing.on("drain", () => wake?.());
  outgoing.once("close", () => wake?.());
  return () =>
    new Promise((resolve) => {
      wake = resolve;
      if (outgoing.destroyed) resolve();
    });
}

function wrongLength(what: string): DsmError {
  return new DsmError("INTERNAL", `a body had ${what} bytes that its Content-Length announced`);
}
