import type { EngineOptions, RequestInfo } from "./engine.ts";
import { guardedUpload } from "./guarded-upload.ts";
import { httpDateNow } from "./http-date.ts";

/** Bun allows no more than this for idleTimeout, in seconds. */
const idleTimeoutMaxS = 255;

type BunServer = Pick<Bun.Server<undefined>, "requestIP" | "timeout">;

/** What Bun.serve is told of how to answer, the same for HTTP/1.1 and HTTP/3. */
export function bunHandler(options: EngineOptions) {
  const idleTimeout = Math.min(options.idleTimeoutS, idleTimeoutMaxS);
  return {
    development: false,
    idleTimeout,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    async fetch(request: Request, bun: BunServer): Promise<Response> {
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
  };
}
