import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { H2Pace } from "./h2-pace.ts";
import type { Outgoing } from "./outgoing.ts";

/** RFC 9113, section 8.2.2: these speak of a connection of HTTP/1.1 and must not be sent. */
const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** The answer on one stream of an HTTP/2 connection. */
export class H2Outgoing implements Outgoing {
  readonly #response: Http2ServerResponse;
  /** Its response tells of `finish` only with `close`, and forgets its stream then. */
  readonly #stream: ServerHttp2Stream;
  readonly #pace: H2Pace;
  #streamIsFull = false;
  #isEnded = false;

  constructor(response: Http2ServerResponse, pace: H2Pace) {
    this.#response = response;
    this.#stream = response.stream;
    this.#pace = pace;
    this.#stream.on("drain", () => (this.#streamIsFull = false));
  }

  get method(): string {
    return this.#response.req.method;
  }

  get gone(): boolean {
    return this.#stream.destroyed;
  }

  get finished(): boolean {
    // Of a stream that the client has reset Bun 1.4.5 says that all of it was written.
    return this.#isEnded && this.#stream.writableFinished && !this.#stream.aborted;
  }

  get full(): boolean {
    return this.#streamIsFull || this.#pace.isFull;
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  setHead(status: number, headers: Headers): void {
    for (const name of this.#response.getHeaderNames()) this.#response.removeHeader(name);
    this.#response.statusCode = status;
    for (const [name, value] of headers) {
      if (!connectionHeaders.has(name)) this.#response.setHeader(name, value);
    }
  }

  contentLength(): number | undefined {
    const header = this.#response.getHeader("content-length");
    return header === undefined ? undefined : Number(header);
  }

  write(piece: Uint8Array): void {
    this.#streamIsFull = !this.#response.write(piece);
    this.#pace.wrote(piece.byteLength);
  }

  end(): void {
    this.#isEnded = true;
    this.#response.end();
  }

  destroy(): void {
    // Sends RST_STREAM (RFC 9113, section 6.4). Without an error, and in `close(code)` whatever the
    // code, Bun 1.4.5 ends the body in order before that, as if it were whole.
    this.#stream.destroy(new Error("the answer is broken off"));
  }

  onMove(listener: () => void): void {
    for (const event of ["drain", "finish", "close"]) this.#stream.on(event, listener);
    const end = this.#pace.onRoom(listener);
    this.#stream.once("close", end);
  }

  onceClosed(listener: () => void): void {
    this.#stream.once("close", listener);
  }
}
