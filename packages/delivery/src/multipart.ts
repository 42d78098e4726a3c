import { DsmError, type FileInfo } from "@dsm/protocol";
import type { BodySource } from "./body-source.ts";
import type { ByteRange } from "./range.ts";

/** The body of a 206 with several ranges (RFC 9110, section 14.6), planned to the byte. */
export interface MultipartBody {
  /** The Content-Type of the whole. */
  readonly contentType: string;
  readonly parts: readonly BodyPart[];
  /** The closing delimiter. */
  readonly tail: Uint8Array;
  readonly lengthBytes: number;
}

interface BodyPart extends ByteRange {
  /** The delimiter before the part, its header fields and their empty line. */
  readonly head: Uint8Array;
}

/**
 * Plans as many of the parts, in their order, as fit into `maxBytes`, and the first in any case. A
 * 206 may hold less than was asked for: it says of itself what it holds, and a client "MUST
 * inspect" that "to determine … whether additional requests are needed" (RFC 9110, section
 * 15.3.7).
 * @param mediaType of the file; every part names it
 */
export function planMultipart(
  file: FileInfo,
  mediaType: string,
  ranges: readonly ByteRange[],
  maxBytes: number,
): MultipartBody {
  // Drawn anew each time: an upload that could foresee it could hold a false part, for a reader
  // that looks for boundaries and nothing else.
  const boundary = crypto.randomUUID();
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const parts: BodyPart[] = [];
  let lengthBytes = tail.length;
  for (const { start, endExclusive } of ranges) {
    const delimiter = `${parts.length === 0 ? "" : "\r\n"}--${boundary}\r\n`;
    const contentRange = `bytes ${start}-${endExclusive - 1}/${file.sizeBytes}`;
    const fields = `Content-Type: ${mediaType}\r\nContent-Range: ${contentRange}\r\n\r\n`;
    const head = Buffer.from(delimiter + fields);
    const partBytes = head.length + endExclusive - start;
    if (parts.length > 0 && lengthBytes + partBytes > maxBytes) break;
    parts.push({ head, start, endExclusive });
    lengthBytes += partBytes;
  }
  return { contentType: `multipart/byteranges; boundary=${boundary}`, parts, tail, lengthBytes };
}

/** The whole body in memory. @throws what the source throws, INTERNAL for another length */
export async function bufferedMultipart(
  { parts, tail, lengthBytes }: MultipartBody,
  source: BodySource,
): Promise<Uint8Array<ArrayBuffer>> {
  const body = new Uint8Array(lengthBytes);
  let at = 0;
  for (const { head, start, endExclusive } of parts) {
    const bytes = await new Response(await source.open(start, endExclusive)).bytes();
    if (bytes.length !== endExclusive - start) throw wrongLength();
    body.set(head, at);
    body.set(bytes, at + head.length);
    at += head.length + bytes.length;
  }
  body.set(tail, at);
  return body;
}

/**
 * The body as a stream with one chunk in memory, which opens each part when its turn comes. The
 * first is open when this resolves, so that a source which cannot open is still an error answer.
 */
export async function streamedMultipart(
  { parts, tail }: MultipartBody,
  source: BodySource,
): Promise<ReadableStream<Uint8Array>> {
  const [first, ...others] = parts;
  const waiting = others.values();
  let part = first === undefined ? undefined : await OpenPart.open(first, source);
  let cancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let chunk = await part?.next();
        if (chunk === undefined) {
          const { value: planned } = waiting.next();
          part = planned === undefined ? undefined : await OpenPart.open(planned, source);
          if (cancelled) return part?.cancel();
          chunk = await part?.next();
        }
        controller.enqueue(chunk ?? tail);
        if (chunk === undefined) controller.close();
      },
      async cancel() {
        cancelled = true;
        await part?.cancel();
      },
    },
    // The server below holds enough of a buffer.
    { highWaterMark: 0 },
  );
}

/** A part that is being sent: its head, then exactly its bytes. */
class OpenPart {
  readonly #chunks: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;
  #head: Uint8Array | undefined;
  #leftBytes: number;

  private constructor({ head, start, endExclusive }: BodyPart, bytes: Bun.BodyInit) {
    const { body } = new Response(bytes);
    if (body === null) throw wrongLength();
    this.#chunks = body.getReader();
    this.#head = head;
    this.#leftBytes = endExclusive - start;
  }

  static async open(part: BodyPart, source: BodySource): Promise<OpenPart> {
    return new OpenPart(part, await source.open(part.start, part.endExclusive));
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const head = this.#head;
    this.#head = undefined;
    if (head !== undefined) return head;
    const { value } = await this.#chunks.read();
    this.#leftBytes -= value?.length ?? 0;
    if (value === undefined ? this.#leftBytes === 0 : this.#leftBytes >= 0) return value;
    await this.cancel();
    throw wrongLength();
  }

  cancel(): Promise<void> {
    return this.#chunks.cancel();
  }
}

function wrongLength(): DsmError {
  return new DsmError("INTERNAL", "a part of a multipart body had another length than was planned");
}
