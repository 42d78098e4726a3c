import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createDoor, type Server as Door } from "node:net";
import { DsmError, limits } from "@dsm/protocol";
import { Connections } from "./connections.ts";
import { type EngineOptions, type HttpServer, httpUrl } from "./engine.ts";
import { requestOf } from "./node-request.ts";
import { sendResponse } from "./node-response.ts";
import { problemResponse } from "./problem.ts";

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
    void serve(options, incoming, outgoing);
  });
  http.setTimeout(idleTimeoutMs, (socket) => socket.destroy());
  http.on("connection", (socket) => connections.add(socket));
  return http;
}

/** Never rejects. */
async function serve(
  options: EngineOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const stallTimeoutMs = options.idleTimeoutS * 1000;
  try {
    const remoteAddress = incoming.socket.remoteAddress ?? "";
    const request = requestOf(incoming, signalOf(outgoing));
    const response = await options.fetch(request, { remoteAddress });
    await sendResponse(response, outgoing, stallTimeoutMs);
  } catch (thrown) {
    const error = DsmError.from(thrown, `answering ${incoming.method} ${incoming.url}`);
    if (error.http >= 500) options.onFault(error);
    if (outgoing.headersSent || outgoing.destroyed) outgoing.destroy();
    else await sendProblem(error, outgoing, stallTimeoutMs);
  }
}

/** Nothing of the answer has left yet, so it can still become another one. */
async function sendProblem(error: DsmError, outgoing: ServerResponse, stallTimeoutMs: number) {
  for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
  await sendResponse(problemResponse(error), outgoing, stallTimeoutMs);
}

/** Aborted when the client leaves before it has the whole answer. */
function signalOf(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}

/**
 * An answer came before its request's body was read. To close at once could lose the answer on
 * its way (RFC 9112, section 9.6), so what comes is thrown away for a while.
 */
function linger(incoming: IncomingMessage): void {
  const { socket } = incoming;
  socket.resume();
  incoming.resume();
  if (incoming.complete) return;
  const timer = setTimeout(() => socket.destroy(), limits.httpLingerMs);
  incoming.once("close", () => clearTimeout(timer));
}

async function listen(door: Door, options: EngineOptions): Promise<void> {
  const { hostname: host, port, reusePort, onFault } = options;
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  door.once("error", reject);
  door.listen({ host, port, reusePort }, resolve);
  await listening;
  door.off("error", reject);
  door.on("error", (error) => onFault(DsmError.from(error, "accepting a connection")));
}
