import {
  AskerHandshake,
  type ClusterSecret,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type MessageName,
  messages,
  type Role,
} from "@dsm/protocol";
import { until } from "@dsm/testkit";
import type { Socket } from "bun";
import { parseEndpoint } from "../endpoint.ts";
import { secret } from "./servers.ts";

/** A connection that says whatever a test wants, and keeps the frames that come back. */
export class RawPeer implements AsyncDisposable {
  readonly frames: Frame[] = [];
  closed = false;
  /** How often the socket had something to read. */
  dataEvents = 0;
  readonly #decoder = new FrameDecoder();
  #socket: Socket | undefined;
  #room = Promise.withResolvers<void>();

  static async connect(endpoint: string): Promise<RawPeer> {
    const peer = new RawPeer();
    peer.#socket = await Bun.connect({
      ...parseEndpoint(endpoint),
      socket: {
        data: (_socket, bytes) => {
          peer.dataEvents++;
          peer.frames.push(...peer.#decoder.push(bytes));
        },
        drain: () => peer.#room.resolve(),
        close: () => {
          peer.closed = true;
          peer.#room.resolve();
        },
      },
    });
    return peer;
  }

  /** Connects and proves the secret. */
  static async proved(endpoint: string, role: Role = "storage"): Promise<RawPeer> {
    const peer = await RawPeer.connect(endpoint);
    await peer.shakeHands(secret, role);
    return peer;
  }

  async shakeHands(withSecret: ClusterSecret, role: Role): Promise<void> {
    const handshake = new AskerHandshake({ secret: withSecret, role, nonce: "n".repeat(22) });
    await this.write(encodeFrame(handshake.open()));
    const { send } = handshake.receive(await this.nextFrame("challenge"));
    if (send !== undefined) await this.write(encodeFrame(send));
    handshake.receive(await this.nextFrame("welcome"));
  }

  nextFrame(what: string): Promise<Frame> {
    return until(`${what} comes`, () => this.frames.shift());
  }

  /** Resolves when the socket has taken all, or is closed. */
  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && !this.closed && this.#socket !== undefined) {
      this.#room = Promise.withResolvers();
      const took = this.#socket.write(rest);
      if (took < 0) return;
      rest = rest.subarray(took);
      // Each piece waits for the room that the one before it needs.
      if (rest.length > 0) await this.#room.promise;
    }
  }

  /** One byte per write, each on its way before the next. */
  async writeCrumbs(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at++) {
      await this.write(bytes.subarray(at, at + 1));
      await new Promise((next) => setImmediate(next));
    }
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async untilClosed(): Promise<void> {
    await until("the server closes the connection", () => this.closed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.terminate();
    return Promise.resolve();
  }
}

export function requestBytes(name: MessageName, requestId: number, body: unknown): Buffer {
  return encodeFrame({ kind: "request", type: messages[name].type, requestId, body });
}
