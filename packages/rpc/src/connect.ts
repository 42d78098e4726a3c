import { DsmError, systemErrorCode } from "@dsm/protocol";
import type { Socket, SocketHandler } from "bun";
import { parseEndpoint } from "./endpoint.ts";

/** What a socket of ours tells its owner. */
export interface SocketOwner {
  opened(socket: Socket<SocketOwner>): void;
  receive(bytes: Buffer): void;
  drained(): void;
  closed(): void;
  close(fault: DsmError): void;
}

export const reachRemedy = "check that the server runs there";

const reasons = new Map([
  ["ECONNREFUSED", "nothing listens there"],
  ["ENOTFOUND", "no host has that name"],
  ["EHOSTUNREACH", "there is no way to that host"],
  ["ENETUNREACH", "there is no way to that network"],
  ["ETIMEDOUT", "that host does not answer"],
]);

// One set of handlers for all sockets, as Bun wants it; the state is in socket.data.
const handlers: SocketHandler<SocketOwner> = {
  open: (socket) => socket.data.opened(socket),
  data: (socket, bytes) => socket.data.receive(bytes),
  drain: (socket) => socket.data.drained(),
  close: (socket) => socket.data.closed(),
  error: (socket, error) => socket.data.close(DsmError.from(error, "the connection")),
  // Its presence keeps Bun from reporting a rejection that is handled below.
  connectError: () => {},
};

/**
 * Connects; `owner.opened` is called before this resolves.
 * @throws DsmError UNREACHABLE
 */
export async function connectSocket(endpoint: string, owner: SocketOwner): Promise<void> {
  const { hostname, port } = parseEndpoint(endpoint);
  try {
    await Bun.connect<SocketOwner>({ hostname, port, data: owner, socket: handlers });
  } catch (cause) {
    const code = systemErrorCode(cause) ?? "connect failed";
    const message = `${endpoint} cannot be reached: ${reasons.get(code) ?? code}`;
    throw new DsmError("UNREACHABLE", message, { remedy: reachRemedy, cause });
  }
}
