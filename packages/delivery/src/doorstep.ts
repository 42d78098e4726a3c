import type { Socket } from "node:net";
import { limits } from "@dsm/protocol";

type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

/**
 * The connections of a TLS server below TLS, from their first byte on: in the handshake neither
 * the server nor a session of HTTP/2 knows of them yet.
 */
export class Doorstep {
  readonly #sockets = new Map<string, Socket>();

  add(socket: Socket): void {
    const name = nameOf(socket);
    this.#sockets.set(name, socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(name));
  }

  /** What cuts the connection of `peer`. */
  cutterOf(peer: Peer): () => void {
    const socket = this.#sockets.get(nameOf(peer));
    return () => socket?.destroy();
  }

  cut(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

function nameOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * A client that does not speak TLS, does not trust the certificate, takes too long or breaks off.
 * That is no fault of this server; but Bun 1.4.5 leaves the connection open unless it is closed.
 */
export function closeFaulty(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code?.startsWith("HPE_") === true) refuse(error.code, socket);
  else if (!lingering.has(socket)) socket.destroy();
}

const lingering = new WeakSet<Socket>();

/** What came is no HTTP/1.1 (RFC 9112, section 2.2; RFC 6585, section 5). */
function refuse(code: string, socket: Socket): void {
  // More of the same may come while the answer is on its way.
  if (lingering.has(socket)) return;
  lingering.add(socket);
  const status =
    code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  const timer = setTimeout(() => socket.destroy(), limits.httpLingerMs);
  socket.once("close", () => clearTimeout(timer));
}
