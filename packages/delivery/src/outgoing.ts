import type { ServerResponse } from "node:http";

/**
 * What an answer is written to: the ServerResponse of node:http, or that of one stream of
 * node:http2. The two differ in just what a pump has to know.
 */
export interface Outgoing {
  readonly method: string;
  /** Nothing can be written any more: the client left, or the answer was broken off. */
  readonly gone: boolean;
  /** All of the answer was handed to the system. */
  readonly finished: boolean;
  /** No more should be written until something moves. */
  readonly full: boolean;
  readonly headSent: boolean;
  setHead(status: number, headers: Headers): void;
  /** As the head was set. */
  contentLength(): number | undefined;
  write(piece: Uint8Array): void;
  end(): void;
  /** Breaks the answer off, so that no client takes it for a whole one. */
  destroy(): void;
  /** Calls `listener` when something was taken, when all of it was, and when it is gone. */
  onMove(listener: () => void): void;
  onceClosed(listener: () => void): void;
}

/** The answer to a request of HTTP/1.1, with or without TLS. */
export class PlainOutgoing implements Outgoing {
  readonly #response: ServerResponse;
  #full = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("drain", () => (this.#full = false));
  }

  get method(): string {
    return this.#response.req.method ?? "GET";
  }

  get gone(): boolean {
    return this.#response.destroyed;
  }

  get finished(): boolean {
    return this.#response.writableFinished;
  }

  get full(): boolean {
    return this.#full;
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  setHead(status: number, headers: Headers): void {
    for (const name of this.#response.getHeaderNames()) this.#response.removeHeader(name);
    this.#response.statusCode = status;
    for (const [name, value] of headers) this.#response.appendHeader(name, value);
  }

  contentLength(): number | undefined {
    const header = this.#response.getHeader("content-length");
    return header === undefined ? undefined : Number(header);
  }

  write(piece: Uint8Array): void {
    this.#full = !this.#response.write(piece);
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }

  onMove(listener: () => void): void {
    for (const event of ["drain", "finish", "close"]) this.#response.on(event, listener);
  }

  onceClosed(listener: () => void): void {
    this.#response.once("close", listener);
  }
}
