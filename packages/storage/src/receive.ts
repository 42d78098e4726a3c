import { DsmError, limits } from "@dsm/protocol";
import type { BlobWriter } from "./blob-writer.ts";
import { type PieceSums, PieceSummer } from "./piece-sums.ts";

export interface Received {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  /** The first limits.sniffMaxBytes, or all of a smaller body. */
  readonly head: Uint8Array;
}

/** What came as a stream may have several pieces; those in one piece need no sums. */
export interface StreamReceived extends Received {
  readonly sums: PieceSums;
}

/**
 * Takes a body that is known to be small, in one piece.
 * @throws DsmError UPLOAD_INCOMPLETE when the client vanishes or stops short
 */
export async function receiveAtOnce(
  body: () => Promise<Uint8Array>,
  announcedBytes: number | undefined,
): Promise<{ bytes: Uint8Array; received: Received }> {
  const bytes = await body().catch((cause: unknown) => {
    throw incomplete("the connection was lost", cause);
  });
  const sizeBytes = bytes.length;
  assertComplete(sizeBytes, announcedBytes);
  const head = bytes.subarray(0, limits.sniffMaxBytes);
  const sha256 = Bun.CryptoHasher.hash("sha256", bytes, "hex");
  return { bytes, received: { sizeBytes, sha256, head } };
}

/**
 * Streams a body into a blob while hashing it, one chunk in memory at a time.
 * @throws DsmError UPLOAD_INCOMPLETE when the client vanishes or stops short, TOO_LARGE
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  writer: BlobWriter,
  announcedBytes: number | undefined,
): Promise<StreamReceived> {
  const hasher = new Bun.CryptoHasher("sha256");
  const summer = new PieceSummer();
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
    summer.update(chunk);
    await written;
  }
  assertComplete(sizeBytes, announcedBytes);
  return { sizeBytes, sha256: hasher.digest("hex"), head, sums: summer.finish() };
}

/** The chunks of the body, with whatever cuts it short told apart from what our disk does. */
async function* arriving(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw incomplete("the connection was lost", cause);
  }
}

function assertComplete(sizeBytes: number, announcedBytes: number | undefined): void {
  if (announcedBytes === undefined || announcedBytes === sizeBytes) return;
  throw incomplete(`${sizeBytes} of ${announcedBytes} bytes arrived`);
}

function incomplete(why: string, cause?: unknown): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", `the upload was cut short: ${why}`, {
    cause,
    remedy: "send it again; nothing was stored",
  });
}
