import { DsmError, limits } from "@dsm/protocol";
import type { BlobWriter } from "./blob-store.ts";

export interface Received {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  /** The first limits.sniffMaxBytes, or all of a smaller body. */
  readonly head: Uint8Array;
}

/**
 * Streams a body into a blob while hashing it, one chunk in memory at a time.
 * @throws DsmError UPLOAD_INCOMPLETE when the client vanishes or stops short, TOO_LARGE
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  writer: BlobWriter,
  announcedBytes: number | undefined,
): Promise<Received> {
  const hasher = new Bun.CryptoHasher("sha256");
  let sizeBytes = 0;
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of arriving(body)) {
    sizeBytes += chunk.length;
    if (sizeBytes > limits.fileMaxBytes) {
      throw new DsmError("TOO_LARGE", `a file may have ${limits.fileMaxBytes} bytes at most`);
    }
    const missingBytes = limits.sniffMaxBytes - head.length;
    if (missingBytes > 0) head = Buffer.concat([head, chunk.subarray(0, missingBytes)]);
    // The disk works on the thread pool while this thread hashes the same chunk.
    const written = writer.write(chunk);
    hasher.update(chunk);
    await written;
  }
  if (announcedBytes !== undefined && announcedBytes !== sizeBytes) {
    throw incomplete(`${sizeBytes} of ${announcedBytes} bytes arrived`);
  }
  return { sizeBytes, sha256: hasher.digest("hex"), head };
}

/** The chunks of the body, with whatever cuts it short told apart from what our disk does. */
async function* arriving(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw incomplete("the connection was lost", cause);
  }
}

function incomplete(why: string, cause?: unknown): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", `the upload was cut short: ${why}`, {
    cause,
    remedy: "send it again; nothing was stored",
  });
}
