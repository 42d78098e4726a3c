import type { Socket } from "node:net";
import { isLostAddress } from "./lost-address.ts";

const lostCheckMs = 1_000;

/** The open connections of one server, and how many requests of each are being answered. */
export class Connections {
  readonly #active = new Map<Socket, number>();
  readonly #idleTimeoutMs: number;
  #isDraining = false;
  #empty: PromiseWithResolvers<void> | undefined;

  /** A connection on which nothing moves for so long is cut. */
  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  get activeRequests(): number {
    return this.#active.values().reduce((sum, count) => sum + count, 0);
  }

  add(socket: Socket): void {
    this.#active.set(socket, 0);
    // A broken connection is told of where its bodies are read and written.
    socket.on("error", () => {});
    socket.on("timeout", () => socket.destroy());
    socket.setTimeout(this.#idleTimeoutMs);
    socket.once("close", () => {
      this.#active.delete(socket);
      if (this.#active.size === 0) this.#empty?.resolve();
    });
  }

  /** A request has come in; call what it returns when its answer is sent or cut. */
  enter(socket: Socket): () => void {
    this.#count(socket, 1);
    return () => {
      this.#count(socket, -1);
      if (this.#isDraining) this.#closeIdle();
    };
  }

  /**
   * Closes each connection as soon as no request of it is being answered, and cuts those that
   * cannot end since their address has moved to another host.
   */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#closeIdle();
    const lostCheck = setInterval(() => this.#cutLost(), lostCheckMs);
    void this.emptied().then(() => clearInterval(lostCheck));
  }

  cut(): void {
    for (const socket of this.#active.keys()) socket.destroy();
  }

  /** Resolves when no connection is left. */
  async emptied(): Promise<void> {
    if (this.#active.size === 0) return;
    this.#empty ??= Promise.withResolvers();
    await this.#empty.promise;
  }

  #count(socket: Socket, change: 1 | -1): void {
    const count = this.#active.get(socket);
    if (count !== undefined) this.#active.set(socket, count + change);
  }

  #cutLost(): void {
    const bySocket = Map.groupBy(this.#active.keys(), ({ localAddress }) => localAddress);
    for (const [address, sockets] of bySocket) {
      if (address === undefined || !isLostAddress(address)) continue;
      for (const socket of sockets) socket.destroy();
    }
  }

  #closeIdle(): void {
    for (const [socket, count] of this.#active) if (count === 0) socket.destroySoon();
  }
}
