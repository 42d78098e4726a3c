import { bunHandler } from "./bun-handler.ts";
import { type EngineOptions, type HttpServer, httpUrl } from "./engine.ts";

/** HTTP by Bun.serve. */
export async function serveBySendfile(options: EngineOptions): Promise<HttpServer> {
  const { hostname, reusePort } = options;
  const server = Bun.serve({ ...bunHandler(options), hostname, port: options.port, reusePort });
  const port = server.port ?? 0;
  const kill = () => void server.stop(true);
  return {
    url: httpUrl(hostname, port),
    hostname,
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
