import { DsmError } from "@dsm/protocol";

/**
 * The same request, with a body that fails when no byte of it arrives for `stallTimeoutMs`. Only
 * waiting counts: a handler that takes its time is no stall of the client.
 */
export function guardedUpload(request: Request, stallTimeoutMs: number): Request {
  if (request.body === null) return request;
  const chunks = request.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await nextChunk(chunks, stallTimeoutMs);
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => chunks.cancel(reason),
    },
    // The server below holds enough of a buffer.
    { highWaterMark: 0 },
  );
  const { url, method, headers, signal } = request;
  return new Request(url, { method, headers, body, signal });
}

async function nextChunk(
  chunks: Pick<ReadableStreamDefaultReader<Uint8Array>, "read">,
  stallTimeoutMs: number,
): Promise<Bun.ReadableStreamDefaultReadResult<Uint8Array>> {
  const { promise: stalled, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(stalledUpload(stallTimeoutMs)), stallTimeoutMs);
  try {
    return await Promise.race([chunks.read(), stalled]);
  } finally {
    clearTimeout(timer);
  }
}

function stalledUpload(stallTimeoutMs: number): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", `no byte of the body came for ${stallTimeoutMs} ms`, {
    remedy: "send it again",
  });
}
