import { DsmError, limits } from "@dsm/protocol";
import { bunHandler } from "./bun-handler.ts";
import type { EngineOptions, FetchHandler } from "./engine.ts";
import { problemResponse } from "./problem.ts";
import type { TlsPair } from "./tls-files.ts";

type H3Server = Bun.Server<undefined>;

/** RFC 7838, section 3.1: for so long clients may remember that there is HTTP/3 here. */
const maxAgeS = 3_600;
const activityCheckMs = 50;

/**
 * HTTP/3 on the UDP port that has the number of a TLS server's, by Bun.serve. It is experimental,
 * as it is in Bun: what Bun 1.4.5 cannot send right is answered 421, and the client asks again by
 * TCP (RFC 9110, section 15.5.20). That is bodies without their length, which the handler refuses
 * as `keepsLength` tells it to, since a broken one looks whole there; and empty ones.
 */
export class H3Side {
  readonly #options: EngineOptions;
  readonly #fetch: FetchHandler;
  readonly #unwatch: () => void;
  #server: H3Server | undefined;
  #retiring: Promise<void> = Promise.resolve();
  /** Requests are sent to TCP, and the port is given up when those under way have ended. */
  #isClosing = false;
  #isOver = false;

  /** @param options with the port of the TLS server. @throws what Bun.serve throws */
  constructor(options: EngineOptions, tls: TlsPair) {
    this.#fetch = options.fetch;
    this.#options = { ...options, fetch: (request, info) => this.#answer(request, info) };
    this.#server = listen(this.#options, tls.current);
    this.#unwatch = tls.onChange(() => {
      this.#retiring = this.#retiring.then(() => this.#renew(tls));
    });
  }

  /** For the answers by TCP; undefined while there is no HTTP/3. */
  get altSvc(): string | undefined {
    if (this.#server === undefined || this.#isClosing) return undefined;
    return `h3=":${this.#options.port}"; ma=${maxAgeS}`;
  }

  get activeRequests(): number {
    return this.#server?.pendingRequests ?? 0;
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#unwatch();
    this.#isOver = true;
    await this.#retiring;
    await this.#retire(timeoutMs);
  }

  async kill(): Promise<void> {
    this.#unwatch();
    this.#isOver = true;
    await this.#server?.stop(true);
  }

  async #answer(...[request, info]: Parameters<FetchHandler>): Promise<Response> {
    if (this.#isClosing) return problemResponse(notHere("this server stops HTTP/3"));
    const response = await this.#fetch(request, info);
    const isEmpty = response.body === null && response.headers.get("content-length") === "0";
    return isEmpty && request.method === "GET"
      ? problemResponse(notHere("an empty file has no length over HTTP/3 here"))
      : response;
  }

  /** Bun 1.4.5 reads a certificate only when it begins to listen. */
  async #renew(tls: TlsPair): Promise<void> {
    await this.#retire(limits.h3RenewalDrainMs);
    if (this.#isOver) return;
    try {
      this.#server = listen(this.#options, tls.current);
      this.#isClosing = false;
    } catch (error) {
      this.#options.onFault(DsmError.from(error, "opening HTTP/3 with the renewed certificate"));
    }
  }

  /** Its own stop, however gentle, cuts answers that a client is still reading (Bun 1.4.5). */
  async #retire(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    const endsAtMs = Date.now() + timeoutMs;
    while (this.activeRequests > 0 && Date.now() < endsAtMs) await Bun.sleep(activityCheckMs);
    const server = this.#server;
    this.#server = undefined;
    await server?.stop(true);
  }
}

function listen(options: EngineOptions, { cert, key }: TlsPair["current"]): H3Server {
  const { hostname, port, reusePort } = options;
  const how = { hostname, port, reusePort, tls: { cert, key }, http3: true, http1: false };
  return Bun.serve({ ...bunHandler(options), ...how });
}

function notHere(why: string): DsmError {
  return new DsmError("MISDIRECTED", why, { remedy: "ask by HTTP/2 or HTTP/1.1" });
}
