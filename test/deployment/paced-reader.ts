import { connect, type Socket } from "node:net";

interface ReaderTerms {
  readonly url: string;
  readonly content: Uint8Array;
  readonly bytesPerSecond: number;
  readonly stallMs: number;
  readonly signal: AbortSignal;
  readonly counts: {
    readBytes: number;
    readWhole: number;
    reconnects: number;
    longestReadGapMs: number;
    wrongBytes: number;
  };
  readonly failed: (what: string) => void;
}

/** It asks for no more than that at a time, so that little is on the way when something fails. */
const stepBytes = 64 * 1024;
const retryMs = 100;

/**
 * Plays a file as players do: a request from where it is to the end, read at its rate; when that
 * breaks or nothing comes, another one with Range and If-Range goes on.
 */
export class PacedReader {
  readonly #terms: ReaderTerms;
  #etag = "";

  constructor(terms: ReaderTerms) {
    this.#terms = terms;
  }

  /** From the first byte to the last. */
  async read(): Promise<void> {
    const { content, signal, counts, failed } = this.#terms;
    let at = 0;
    let waitingSinceMs = performance.now();
    const came = (bytes: number) => {
      const nowMs = performance.now();
      counts.longestReadGapMs = Math.max(counts.longestReadGapMs, nowMs - waitingSinceMs);
      counts.readBytes += bytes;
      at += bytes;
    };
    while (at < content.length && !signal.aborted) {
      const from = at;
      try {
        for await (const chunk of this.#bytesFrom(from)) {
          if (Buffer.compare(chunk, content.subarray(at, at + chunk.length)) !== 0) {
            counts.wrongBytes++;
            failed(`GET: wrong bytes from ${at}`);
          }
          came(chunk.length);
          if (signal.aborted) return;
          await Bun.sleep((1000 * chunk.length) / this.#terms.bytesPerSecond);
          waitingSinceMs = performance.now();
        }
      } catch (error) {
        failed(`GET from ${from}: ${String(error)}`);
      }
      if (at === content.length) break;
      counts.reconnects++;
      await Bun.sleep(retryMs);
    }
    if (at === content.length) counts.readWhole++;
  }

  /** @throws Error when the answer is not the rest of the file, breaks off or stalls */
  async *#bytesFrom(offset: number): AsyncGenerator<Uint8Array> {
    const { url, content, stallMs } = this.#terms;
    const { hostname, port, pathname, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    const range = offset === 0 ? "" : `Range: bytes=${offset}-\r\nIf-Range: ${this.#etag}\r\n`;
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${range}\r\n`);
    try {
      const chunks = steps(socket, stallMs);
      const { head, rest } = await readHead(chunks);
      const wanted = offset === 0 ? "200" : "206";
      if (head.slice(9, 12) !== wanted) throw new Error(head.split("\r\n")[0]);
      this.#etag = /^etag: (.*)$/im.exec(head)?.[1] ?? "";
      let left = content.length - offset;
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
      if (length !== left) throw new Error(`Content-Length is ${length} and ${left} are left`);
      for (let chunk = rest; ;) {
        if (chunk.length > 0) yield chunk;
        left -= chunk.length;
        if (left === 0) return;
        const next = await chunks.next();
        if (next.done === true) throw new Error(`it ended ${left} bytes early`);
        chunk = next.value;
      }
    } finally {
      socket.destroy();
    }
  }
}

async function readHead(chunks: AsyncGenerator<Buffer>): Promise<{ head: string; rest: Buffer }> {
  let seen = Buffer.alloc(0);
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) throw new Error("it ended before its head did");
    seen = Buffer.concat([seen, next.value]);
    const end = seen.indexOf("\r\n\r\n");
    if (end >= 0) return { head: seen.toString("latin1", 0, end), rest: seen.subarray(end + 4) };
  }
}

/**
 * What comes on a socket, asked for step by step: what is not asked for stays with the sender.
 * @throws Error when nothing comes for `stallMs`, also when that is for want of a connection
 */
async function* steps(socket: Socket, stallMs: number): AsyncGenerator<Buffer> {
  const chunks = socket[Symbol.asyncIterator]();
  for (;;) {
    // In Bun a socket's own setTimeout does not run while it connects.
    const stall = setTimeout(() => {
      socket.destroy(new Error(`nothing came for ${stallMs} ms`));
    }, stallMs);
    const next = await chunks.next().finally(() => clearTimeout(stall));
    if (next.done === true) return;
    const bytes = next.value as Buffer;
    for (let at = 0; at < bytes.length; at += stepBytes) yield bytes.subarray(at, at + stepBytes);
  }
}
