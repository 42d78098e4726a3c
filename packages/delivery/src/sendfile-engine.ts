import { httpDateNow } from "./http-date.ts";
import { guardedUpload } from "./guarded-upload.ts";
import { type EngineOptions, type HttpServer, httpUrl, type RequestInfo } from "./engine.ts";

/** Bun allows no more than this for idleTimeout, in seconds. */
const idleTimeoutMaxS = 255;

/** HTTP by Bun.serve. */
export async function serveBySendfile(options: EngineOptions): Promise<HttpServer> {
  const idleTimeout = Math.min(options.idleTimeoutS, idleTimeoutMaxS);
  const server = Bun.serve({
    hostname: options.hostname,
    port: options.port,
    reusePort: options.reusePort,
    development: false,
    idleTimeout,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    async fetch(request, bun) {
      const info: RequestInfo = {
        // Looked up only where somebody asks, which is before the answer.
        get remoteAddress() {
          return bun.requestIP(request)?.address ?? "";
        },
        keepsLength: false,
      };
      // Bun 1.4.5 counts a request as idle until it is answered, however many bytes of its body
      // arrive: an upload would be cut at idleTimeout. So that is off until the answer, and a
      // stall of the body is ours to notice.
      bun.timeout(request, 0);
      const guarded = guardedUpload(request, options.idleTimeoutS * 1000);
      const response = await options.fetch(guarded, info);
      bun.timeout(request, idleTimeout);
      // Bun 1.4.5 sends a Date that may be a second late, so before Last-Modified, which must not
      // be (RFC 9110, section 8.8.2.1), and none to HEAD.
      response.headers.set("date", httpDateNow());
      return response;
    },
  });
  const port = server.port ?? 0;
  const kill = () => void server.stop(true);
  return {
    url: httpUrl(options.hostname, port),
    hostname: options.hostname,
    port,
    get activeRequests() {
      return server.pendingRequests;
    },
    async drain(timeoutMs) {
      const timer = setTimeout(kill, timeoutMs);
      try {
        await server.stop();
      } finally {
        clearTimeout(timer);
      }
    },
    kill,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}
