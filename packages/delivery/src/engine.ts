import type { DsmError } from "@dsm/protocol";

export interface RequestInfo {
  readonly remoteAddress: string;
  /** Whether a stream that is given as a body goes out with the Content-Length that is set. */
  readonly keepsLength: boolean;
  /** The trailers, whole once the body has ended; absent where the server takes none. */
  readonly trailers?: () => Headers;
}

export type FetchHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

export interface HttpServer extends AsyncDisposable {
  /** As `http://host:port`, or `https://host:port`. */
  readonly url: string;
  readonly hostname: string;
  readonly port: number;
  /** Requests whose answer has not been sent or cut. */
  readonly activeRequests: number;
  /** Takes no new connection, lets the requests that run end, and cuts what is left in time. */
  drain(timeoutMs: number): Promise<void>;
  /** Cuts every connection at once. */
  kill(): void;
}

/** What the two engines get: a handler that never throws, and defaults filled in. */
export interface EngineOptions {
  readonly hostname: string;
  readonly port: number;
  readonly idleTimeoutS: number;
  readonly reusePort: boolean;
  readonly fetch: FetchHandler;
  readonly onFault: (error: DsmError) => void;
}

/** An IPv6 address stands in brackets (RFC 3986, section 3.2.2). */
export function httpUrl(hostname: string, port: number, scheme: "http" | "https" = "http"): string {
  return `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
