import {
  type HttpServer,
  type HttpServerOptions,
  type RequestInfo,
  serveHttp,
} from "@dsm/delivery";
import { DsmError } from "@dsm/protocol";

/**
 * The public listener. Bun.serve sends files by sendfile but drops Content-Length from streams;
 * node:http keeps it. So a gateway that has its groups mounted starts with the first, and when it
 * first meets a group that it must proxy it changes over to the second on the same port, once:
 * requests under way end on the old engine, new connections find the new one. With TLS it is
 * always the second, except for what comes by HTTP/3.
 * docs/design/2026-11-22-two-http-engines.md
 */
export class Front {
  readonly #options: Omit<HttpServerOptions, "engine">;
  #engine: HttpServerOptions["engine"];
  #server: HttpServer;
  #retired: HttpServer | undefined;
  #change: Promise<void> | undefined;

  private constructor(options: HttpServerOptions, server: HttpServer) {
    this.#options = { ...options, port: server.port };
    this.#engine = options.engine;
    this.#server = server;
  }

  /** @throws DsmError ADDRESS_IN_USE */
  static async open(options: HttpServerOptions): Promise<Front> {
    // With TLS there is but one engine; see serveHttp.
    return new Front(options, await serveHttp(options));
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  /**
   * Call before a stream is given as a body.
   * @throws DsmError OVERLOADED (503, Retry-After) while this request is on the engine that
   * would lose its length; the client's next try finds the other one. MISDIRECTED (421) for a
   * request by HTTP/3, which loses it always; the client asks again by TCP.
   */
  async assertKeepsLength({ keepsLength }: Pick<RequestInfo, "keepsLength">): Promise<void> {
    if (keepsLength) return;
    if (this.#options.tls !== undefined) {
      throw new DsmError("MISDIRECTED", "this body cannot be sent by HTTP/3", {
        remedy: "ask by HTTP/2 or HTTP/1.1",
      });
    }
    if (this.#engine === "sendfile") await (this.#change ??= this.#changeOver());
    throw new DsmError("OVERLOADED", "this gateway changes over to proxy delivery", {
      remedy: "try again in a second",
    });
  }

  async drain(timeoutMs: number): Promise<void> {
    await this.#change;
    await Promise.all([this.#server.drain(timeoutMs), this.#retired?.drain(timeoutMs)]);
  }

  kill(): void {
    this.#server.kill();
    this.#retired?.kill();
  }

  async #changeOver(): Promise<void> {
    this.#retired = this.#server;
    // Not awaited: it ends when the last request on the old engine does, this one among them.
    void this.#retired.drain(retireTimeoutMs);
    this.#server = await serveHttp({ ...this.#options, engine: "stream" });
    this.#engine = "stream";
  }
}

/** How long answers that were under way at the change may take. */
const retireTimeoutMs = 6 * 3600 * 1000;
