import type { EngineOptions, HttpServer } from "./engine.ts";
import { H3Side } from "./h3-side.ts";
import { serveByTls } from "./tls-engine.ts";
import type { TlsPair } from "./tls-files.ts";

/**
 * HTTP/2 and HTTP/1.1 over TLS, and HTTP/3 beside it, which those announce (RFC 7838).
 * @throws the system error when it cannot listen on the TCP or the UDP port
 */
export async function serveWithH3(options: EngineOptions, tls: TlsPair): Promise<HttpServer> {
  let h3: H3Side | undefined;
  const server = await serveByTls(
    {
      ...options,
      async fetch(request, info) {
        const response = await options.fetch(request, info);
        if (h3?.altSvc !== undefined) response.headers.set("alt-svc", h3.altSvc);
        return response;
      },
    },
    tls,
  );
  try {
    h3 = new H3Side({ ...options, port: server.port }, tls);
  } catch (error) {
    server.kill();
    throw error;
  }
  return bothOf(server, h3);
}

function bothOf(server: HttpServer, h3: H3Side): HttpServer {
  const { url, hostname, port } = server;
  return {
    url,
    hostname,
    port,
    get activeRequests() {
      return server.activeRequests + h3.activeRequests;
    },
    async drain(timeoutMs) {
      await Promise.all([server.drain(timeoutMs), h3.drain(timeoutMs)]);
    },
    kill() {
      server.kill();
      void h3.kill();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([server[Symbol.asyncDispose](), h3.kill()]);
    },
  };
}
