import { connect, createServer, type Socket } from "node:net";

/**
 * Stands before a storage's data port and counts the bytes of media that it sends. It takes in
 * all that comes at once, so a byte that was sent is counted, whether anybody reads it or not.
 */
export class CountingRelay implements AsyncDisposable {
  /** Set before the first connection comes. */
  targetPort = 0;
  bodyBytes = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((inside) => this.#relay(inside));

  static async start(): Promise<CountingRelay> {
    const relay = new CountingRelay();
    const { promise, resolve } = Promise.withResolvers<void>();
    relay.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return relay;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #relay(inside: Socket): void {
    const outside = connect(this.targetPort, "127.0.0.1");
    const bodies = new BodyCounter();
    const pairs = [
      [inside, outside],
      [outside, inside],
    ] as const;
    for (const [socket, other] of pairs) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    inside.on("data", (data: Uint8Array) => outside.write(data));
    outside.on("data", (data: Uint8Array) => {
      this.bodyBytes += bodies.count(data);
      inside.write(data);
    });
  }
}

/** Tells the heads of answers from their bodies, by Content-Length, which all of them have. */
class BodyCounter {
  #head = "";
  #leftBytes = 0;

  /** @returns how many bytes of it belong to bodies */
  count(chunk: Uint8Array): number {
    const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let bytes = 0;
    for (let at = 0; at < data.length;) {
      const taken = Math.min(this.#leftBytes, data.length - at);
      bytes += taken;
      at += taken;
      this.#leftBytes -= taken;
      if (at === data.length) break;
      const before = this.#head.length;
      this.#head += data.subarray(at).toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) break;
      at += end + 4 - before;
      const length = /^content-length: (\d+)$/im.exec(this.#head.slice(0, end))?.[1];
      if (length === undefined) throw new Error(`an answer without a length: ${this.#head}`);
      this.#leftBytes = Number(length);
      this.#head = "";
    }
    return bytes;
  }
}
