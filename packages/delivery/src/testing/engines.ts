import type { HttpServerOptions } from "../http-server.ts";
import { fixedPair } from "./tls-pairs.ts";

type Engine = Pick<HttpServerOptions, "engine" | "reusePort" | "tls">;

const tls = fixedPair();

/**
 * What every test of serveHttp runs on, as HTTP/1.1. With reusePort node:http and node:http2 are
 * fed by another listener.
 */
export const engines: [string, Engine][] = [
  ["sendfile", { engine: "sendfile" }],
  ["stream", { engine: "stream" }],
  ["stream with reusePort", { engine: "stream", reusePort: true }],
  ["TLS", { engine: "stream", tls }],
  ["TLS with reusePort", { engine: "stream", tls, reusePort: true }],
];
