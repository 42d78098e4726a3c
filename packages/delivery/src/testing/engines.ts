import type { HttpServerOptions } from "../http-server.ts";

/** What every test of serveHttp runs on. With reusePort node:http is fed by another listener. */
export const engines: [string, Pick<HttpServerOptions, "engine" | "reusePort">][] = [
  ["sendfile", { engine: "sendfile" }],
  ["stream", { engine: "stream" }],
  ["stream with reusePort", { engine: "stream", reusePort: true }],
];
