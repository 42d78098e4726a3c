import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, createServer as createDoor, type Server as Door } from "node:net";
import { DsmError, limits } from "@dsm/protocol";
import { Connections } from "./connections.ts";
import { type EngineOptions, type HttpServer, httpUrl, type RequestInfo } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { fieldsOf, requestOf } from "./node-request.ts";
import { PlainOutgoing } from "./outgoing.ts";
import { shownRequest } from "./shown-request.ts";

/** HTTP by node:http. @throws the system error when it cannot listen */
export async function serveByStream(options: EngineOptions): Promise<HttpServer> {
  const connections = new Connections(options.idleTimeoutS * 1000);
  const http = createHttp(options, connections);
  const door = options.reusePort ? sharedDoor(http) : http;
  door.maxConnections = limits.connectionsPerServerMax;
  await listen(door, options);
  const { hostname } = options;
  const { port } = door.address() as AddressInfo;
  const kill = () => {
    door.close();
    connections.cut();
    // Of a connection without a request only http.Server knows.
    http.closeAllConnections();
  };
  return {
    url: httpUrl(hostname, port),
    hostname,
    port,
    get activeRequests() {
      return connections.activeRequests;
    },
    async drain(timeoutMs) {
      door.close();
      connections.drain();
      const timer = setTimeout(kill, timeoutMs);
      await connections.emptied();
      clearTimeout(timer);
    },
    kill,
    async [Symbol.asyncDispose]() {
      kill();
      await connections.emptied();
    },
  };
}

/**
 * The http.Server of Bun 1.4.5 does not know reusePort, so a net.Server listens for it.
 * allowHalfOpen: who has sent a request may close that half (RFC 9112, section 9.6).
 */
function sharedDoor(http: Server): Door {
  return createDoor({ allowHalfOpen: true, noDelay: true }, (socket) => {
    http.emit("connection", socket);
  });
}

function createHttp(options: EngineOptions, connections: Connections): Server {
  const idleTimeoutMs = options.idleTimeoutS * 1000;
  // No time limit for a whole request: an upload may take hours as long as it moves.
  const timeouts = { requestTimeout: 0, keepAliveTimeout: idleTimeoutMs };
  const http = createServer(timeouts, (incoming, outgoing) => {
    outgoing.once("close", connections.enter(incoming.socket));
    outgoing.once("finish", () => linger(incoming));
    // Whoever reads the body is told, and the signal says it to all others.
    incoming.on("error", () => {});
    void exchange(options, {
      outgoing: new PlainOutgoing(outgoing),
      info: infoOf(incoming),
      name: shownRequest(incoming.method, incoming.url),
      request: (signal) => requestOf(incoming, "http", signal),
    });
  });
  http.setTimeout(idleTimeoutMs, (socket) => socket.destroy());
  http.on("connection", (socket) => connections.add(socket));
  return http;
}

/** What is known of a request that came by HTTP/1.1. */
export function infoOf(incoming: IncomingMessage): RequestInfo {
  return {
    remoteAddress: incoming.socket.remoteAddress ?? "",
    keepsLength: true,
    trailers: () => fieldsOf(incoming.rawTrailers),
  };
}

/**
 * An answer came before its request's body was read. To close at once could lose the answer on
 * its way (RFC 9112, section 9.6), so what comes is thrown away for a while.
 */
export function linger(incoming: IncomingMessage): void {
  const { socket } = incoming;
  socket.resume();
  incoming.resume();
  if (incoming.complete) return;
  const timer = setTimeout(() => socket.destroy(), limits.httpLingerMs);
  incoming.once("close", () => clearTimeout(timer));
}

/** @throws the system error when it cannot listen */
export async function listen(door: Door, options: EngineOptions): Promise<void> {
  const { hostname: host, port, reusePort, onFault } = options;
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  door.once("error", reject);
  door.listen({ host, port, reusePort }, resolve);
  await listening;
  door.off("error", reject);
  door.on("error", (error) => onFault(DsmError.from(error, "accepting a connection")));
}
