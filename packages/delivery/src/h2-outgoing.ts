import type { Http2ServerResponse } from "node:http2";
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

/** RFC 9113, section 7. */
const internalError = 2;

/** The answer on one stream of an HTTP/2 connection. */
export class H2Outgoing implements Outgoing {
  readonly #response: Http2ServerResponse;
  readonly #pace: H2Pace;
  #streamIsFull = false;

  constructor(response: Http2ServerResponse, pace: H2Pace) {
    this.#response = response;
    this.#pace = pace;
    response.on("drain", () => (this.#streamIsFull = false));
  }

  get method(): string {
    return this.#response.req.method;
  }

  get gone(): boolean {
    // Once closed, a response has no stream any more.
    return this.#response.stream?.destroyed !== false;
  }

  get finished(): boolean {
    return this.#response.writableFinished;
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
    this.#response.end();
  }

  destroy(): void {
    this.#response.stream?.close(internalError);
  }

  onMove(listener: () => void): void {
    for (const event of ["drain", "finish", "close"]) this.#response.on(event, listener);
    const end = this.#pace.onRoom(listener);
    this.#response.once("close", end);
  }

  onceClosed(listener: () => void): void {
    this.#response.once("close", listener);
  }
}
