import { DsmError, systemErrorCode } from "@dsm/protocol";
import { type CorsOptions, withCors } from "./cors.ts";
import type { EngineOptions, FetchHandler, HttpServer, RequestInfo } from "./engine.ts";
import { withHost } from "./host-check.ts";
import { problemResponse } from "./problem.ts";
import { serveBySendfile } from "./sendfile-engine.ts";
import { serveByStream } from "./stream-engine.ts";
import { serveByTls } from "./tls-engine.ts";
import { serveWithH3 } from "./tls-with-h3.ts";
import type { TlsPair } from "./tls-files.ts";
import { shownRequest } from "./shown-request.ts";

export interface HttpServerOptions {
  /**
   * `sendfile`: Bun.serve. Bodies from Bun.file leave by the kernel; stream bodies go out chunked,
   * without Content-Length. `stream`: node:http. Stream bodies keep their Content-Length. With
   * TLS it is always node:http2, since the kernel cannot encrypt what it sends from files.
   */
  readonly engine: "sendfile" | "stream";
  /** Serves HTTP/2 and HTTP/1.1 over TLS; without it HTTP/1.1 in clear text. */
  readonly tls?: TlsPair | undefined;
  /** Serves HTTP/3 too, on the same port over UDP. Needs TLS. */
  readonly http3?: boolean;
  readonly hostname: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly fetch: FetchHandler;
  /** Who of other origins may read the answers; without it OPTIONS is a method like any other. */
  readonly cors?: CorsOptions | undefined;
  /** A connection on which nothing moves for so long is cut, in seconds. */
  readonly idleTimeoutS?: number;
  /** Told of what fetch threw that is no answer to a client: INTERNAL errors, broken bodies. */
  readonly onFault?: (error: DsmError) => void;
  /** Several processes share the port. */
  readonly reusePort?: boolean;
}

/**
 * Long, for a reader that is slow: Bun.serve sees progress only when a third of the kernel's send
 * buffer (4 MB) is free again, so this is what a client may take for 1.4 MB (6 kB/s).
 */
const idleTimeoutDefaultS = 240;

/** @throws DsmError ADDRESS_IN_USE, or BAD_CONFIG for an address that is not of this machine */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { cors, onFault = () => {} } = options;
  const fetch: FetchHandler = (request, info) => answer(options.fetch, request, info, onFault);
  const engineOptions: EngineOptions = {
    hostname: options.hostname,
    port: options.port,
    idleTimeoutS: options.idleTimeoutS ?? idleTimeoutDefaultS,
    reusePort: options.reusePort ?? false,
    fetch: cors === undefined ? fetch : withCors(fetch, cors),
    onFault,
  };
  try {
    const { tls, http3 = false } = options;
    if (tls !== undefined) return await (http3 ? serveWithH3 : serveByTls)(engineOptions, tls);
    return await (options.engine === "sendfile"
      ? serveBySendfile(engineOptions)
      : serveByStream(engineOptions));
  } catch (error) {
    throw cannotListen(error, `${options.hostname}:${options.port}`);
  }
}

async function answer(
  fetch: FetchHandler,
  request: Request,
  info: RequestInfo,
  onFault: (error: DsmError) => void,
): Promise<Response> {
  try {
    return await fetch(withHost(request), info);
  } catch (thrown) {
    const error = DsmError.from(thrown, shownRequest(request.method, request.url));
    if (error.http >= 500) onFault(error);
    return problemResponse(error);
  }
}

function cannotListen(thrown: unknown, address: string): DsmError {
  const code = systemErrorCode(thrown);
  if (code === "EADDRINUSE") {
    return new DsmError("ADDRESS_IN_USE", `cannot listen on ${address}: it is in use`, {
      remedy: "stop what listens there, or choose another port",
      cause: thrown,
    });
  }
  return new DsmError("BAD_CONFIG", `cannot listen on ${address}: ${code ?? "it failed"}`, {
    remedy: "choose an address of this machine and a port that you may use",
    cause: thrown,
  });
}
