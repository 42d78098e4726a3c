import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  Http2ServerResponse,
} from "node:http2";
import { createServer as createDoor, type AddressInfo, type Server as Door } from "node:net";
import type { TLSSocket } from "node:tls";
import { limits } from "@dsm/protocol";
import { Connections } from "./connections.ts";
import { closeFaulty, Doorstep } from "./doorstep.ts";
import { type EngineOptions, type HttpServer, httpUrl } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { H2Outgoing } from "./h2-outgoing.ts";
import { h2FieldsOf, h2RequestOf } from "./h2-request.ts";
import { H2Sessions } from "./h2-sessions.ts";
import { requestOf } from "./node-request.ts";
import { PlainOutgoing } from "./outgoing.ts";
import { infoOf, linger, listen } from "./stream-engine.ts";
import type { TlsPair } from "./tls-files.ts";
import { shownRequest } from "./shown-request.ts";

/**
 * HTTP/2 and HTTP/1.1 over TLS by node:http2, as the client chooses (ALPN). Stream bodies keep
 * their Content-Length, which they do not in Bun.serve.
 * @throws the system error when it cannot listen
 */
export async function serveByTls(options: EngineOptions, tls: TlsPair): Promise<HttpServer> {
  const idleTimeoutMs = options.idleTimeoutS * 1000;
  const connections = new Connections(idleTimeoutMs);
  const sessions = new H2Sessions(idleTimeoutMs);
  const doorstep = new Doorstep();
  const http = createHttp(options, tls.current, connections, sessions);
  http.on("connection", (socket) => doorstep.add(socket));
  http.on("session", (session) => {
    sessions.add(session, doorstep.cutterOf(session.socket));
    // That of the connection, which Bun 1.4.5 fills up as bytes come. With twice as much here it
    // would not fill up those of streams any more.
    session.setLocalWindowSize(limits.h2UploadWindowBytes);
  });
  const unwatch = tls.onChange((pair) => http.setSecureContext(secureContext(pair)));
  const door: Door = options.reusePort ? sharedDoor(http) : http;
  door.maxConnections = limits.connectionsPerServerMax;
  await listen(door, options);
  const { hostname } = options;
  const { port } = door.address() as AddressInfo;
  const close = () => {
    unwatch();
    door.close();
  };
  const emptied = () => Promise.all([connections.emptied(), sessions.emptied()]);
  const kill = () => {
    close();
    doorstep.cut();
  };
  return {
    url: httpUrl(hostname, port, "https"),
    hostname,
    port,
    get activeRequests() {
      return connections.activeRequests + sessions.activeRequests;
    },
    async drain(timeoutMs) {
      close();
      connections.drain();
      sessions.drain();
      const timer = setTimeout(kill, timeoutMs);
      await emptied();
      clearTimeout(timer);
      doorstep.cut();
    },
    kill,
    async [Symbol.asyncDispose]() {
      kill();
      await emptied();
    },
  };
}

/** The server of Bun 1.4.5 does not know reusePort, so a net.Server listens for it. */
function sharedDoor(http: Http2SecureServer): Door {
  return createDoor({ noDelay: true }, (socket) => {
    http.emit("connection", socket);
  });
}

function createHttp(
  options: EngineOptions,
  pair: TlsPair["current"],
  connections: Connections,
  sessions: H2Sessions,
): Http2SecureServer {
  const idleTimeoutMs = options.idleTimeoutS * 1000;
  const http = createSecureServer({
    ...secureContext(pair),
    ...http1Options(idleTimeoutMs),
    handshakeTimeout: Math.min(limits.tlsHandshakeTimeoutMs, idleTimeoutMs),
    settings: {
      maxConcurrentStreams: limits.h2StreamsPerConnectionMax,
      maxHeaderListSize: limits.headersMaxBytes,
      initialWindowSize: limits.h2UploadWindowBytes,
    },
  });
  http.on("request", (incoming, outgoing) => {
    if (outgoing instanceof Http2ServerResponse) answerH2(options, incoming, outgoing, sessions);
    // With allowHTTP1 both kinds of requests come this way, which the types do not tell.
    else answerH1(options, incoming as never, outgoing, connections);
  });
  http.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol !== "h2") connections.add(socket);
  });
  // Bun 1.4.5 tells of a failed handshake by both, and of HTTP/1.1 that is none by the second.
  http.on("tlsClientError", closeFaulty);
  http.on("clientError", closeFaulty);
  // Whoever reads or writes a body is told, and the session closes by itself.
  http.on("sessionError", () => {});
  return http;
}

function secureContext({ cert, key }: TlsPair["current"]) {
  return { cert, key, minVersion: "TLSv1.2" } as const;
}

/**
 * What the types of createSecureServer do not tell of. No time limit for a whole request: an
 * upload may take hours as long as it moves.
 */
function http1Options(idleTimeoutMs: number) {
  return { allowHTTP1: true, requestTimeout: 0, keepAliveTimeout: idleTimeoutMs } as const;
}

function answerH2(
  options: EngineOptions,
  incoming: Http2ServerRequest,
  response: Http2ServerResponse,
  sessions: H2Sessions,
): void {
  const { stream } = response;
  const { session } = stream;
  if (session === undefined) return;
  const { pace, leave } = sessions.enter(session);
  stream.once("close", leave);
  const hasBody = !stream.endAfterHeaders;
  stream.once("finish", () => {
    // RFC 9113, section 8.1: who was answered early is asked to send no more.
    if (hasBody && !incoming.readableEnded) stream.close();
  });
  incoming.on("error", () => {});
  void exchange(options, {
    outgoing: new H2Outgoing(response, pace),
    info: {
      remoteAddress: session.socket.remoteAddress ?? "",
      keepsLength: true,
      trailers: () => h2FieldsOf(incoming.rawTrailers),
    },
    name: shownRequest(incoming.method, incoming.url),
    request: (signal) => h2RequestOf(incoming, signal, options.idleTimeoutS * 1000),
  });
}

function answerH1(
  options: EngineOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
  connections: Connections,
): void {
  response.once("close", connections.enter(incoming.socket));
  response.once("finish", () => linger(incoming));
  incoming.on("error", () => {});
  void exchange(options, {
    outgoing: new PlainOutgoing(response),
    info: infoOf(incoming),
    name: shownRequest(incoming.method, incoming.url),
    request: (signal) => requestOf(incoming, "https", signal),
  });
}
