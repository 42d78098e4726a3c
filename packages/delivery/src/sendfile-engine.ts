import { limits } from "@dsm/protocol";
import { bunHandler } from "./bun-handler.ts";
import { type EngineOptions, type HttpServer, httpUrl } from "./engine.ts";

type BunServer = Bun.Server<undefined>;

const activityCheckMs = 50;

/** HTTP by Bun.serve. */
export async function serveBySendfile(options: EngineOptions): Promise<HttpServer> {
  const { hostname, reusePort } = options;
  const server: BunServer = Bun.serve({
    ...bunHandler(options),
    hostname,
    port: options.port,
    reusePort,
  });
  const port = server.port ?? 0;
  return {
    url: httpUrl(hostname, port),
    hostname,
    port,
    get activeRequests() {
      return server.pendingRequests;
    },
    drain: (timeoutMs) => stopInOrder(server, timeoutMs),
    kill: () => void server.stop(true),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

/**
 * Bun 1.4.5 takes a connection for busy, for good, on which bytes of a body came behind the answer
 * to it, as they do when an upload is refused; a stop waits for it in vain. So once no request is
 * being answered, what is still open is cut, with time for the answer to be read before that.
 */
async function stopInOrder(server: BunServer, timeoutMs: number): Promise<void> {
  const endsAtMs = Date.now() + timeoutMs;
  const stopped = server.stop().then(() => true);
  let idleSinceMs = Date.now();
  while (Date.now() < endsAtMs && Date.now() - idleSinceMs < limits.httpLingerMs) {
    const goesOn = Bun.sleep(activityCheckMs).then(() => false);
    if (await Promise.race([stopped, goesOn])) return;
    if (server.pendingRequests > 0) idleSinceMs = Date.now();
  }
  await server.stop(true);
}
