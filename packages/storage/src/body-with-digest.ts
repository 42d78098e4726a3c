import { digestAtEndBytes, DsmError } from "@dsm/protocol";

/**
 * A body whose last bytes are the SHA-256 of those before them (`digestAtEnd` in @dsm/protocol).
 * It gives the bytes of the file alone, and holds back one chunk of them at most.
 */
export class BodyWithDigest implements AsyncIterable<Uint8Array> {
  readonly #body: AsyncIterable<Uint8Array>;
  #sha256: string | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body;
  }

  /** 64 hex digits, once the body has ended. @throws DsmError UPLOAD_INCOMPLETE before that */
  get sha256(): string {
    if (this.#sha256 === undefined) throw withoutDigest();
    return this.#sha256;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    // The digest, or its beginning, may lie at the end of these.
    let held: Uint8Array = new Uint8Array();
    for await (const chunk of this.#body) {
      if (chunk.length >= digestAtEndBytes) {
        // As they came, for a large chunk is not copied.
        if (held.length > 0) yield held;
        held = chunk;
        continue;
      }
      const [content, end] = splitEnd(held);
      if (content.length > 0) yield content;
      held = Buffer.concat([end, chunk]);
    }
    const [content, digest] = splitEnd(held);
    if (digest.length < digestAtEndBytes) throw withoutDigest();
    if (content.length > 0) yield content;
    this.#sha256 = Buffer.from(digest).toString("hex");
  }
}

function splitEnd(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const at = Math.max(0, bytes.length - digestAtEndBytes);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

function withoutDigest(): DsmError {
  return new DsmError("UPLOAD_INCOMPLETE", "the body ended before the digest that was to follow", {
    remedy: "send it again; nothing was stored",
  });
}
