import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { until } from "@dsm/testkit";

const keptMaxBytes = 64 * 1024;

/** A bare connection to a server, in TLS where its URL says so, to say what no client would. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  receivedBytes = 0;
  isClosed = false;
  /** The first 64 KiB that came, as latin1. */
  head = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (data: Buffer) => {
      this.receivedBytes += data.length;
      if (this.head.length < keptMaxBytes) this.head += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      this.isClosed = true;
    });
  }

  static async connect({ url }: { url: string }): Promise<RawClient> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { protocol, hostname, port } = new URL(url);
    const address = { host: hostname, port: Number(port) };
    const socket =
      protocol === "https:"
        ? connectTls(
            { ...address, ALPNProtocols: ["http/1.1"], rejectUnauthorized: false },
            resolve,
          )
        : connect(address, resolve);
    socket.once("error", reject);
    const client = new RawClient(socket);
    await promise;
    return client;
  }

  /** Lines without their ends; the empty line behind them is added. */
  request(...lines: string[]): void {
    this.socket.write(`${lines.join("\r\n")}\r\nHost: test\r\n\r\n`);
  }

  /** Writes until the server has taken nothing more for a while; gives the bytes that left. */
  async flood(maxBytes: number): Promise<number> {
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    while (written < maxBytes && (await this.#write(chunk))) written += chunk.length;
    return written;
  }

  async closed(): Promise<void> {
    await until("the server closes the connection", () => this.isClosed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed();
  }

  #write(chunk: Buffer): Promise<boolean> {
    if (this.socket.destroyed) return Promise.resolve(false);
    if (this.socket.write(chunk)) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), 300);
    this.socket.once("drain", () => {
      clearTimeout(timer);
      resolve(true);
    });
    return promise;
  }
}

/**
 * The value of `read` once it has been the same for a while.
 * @param slack how far from one value it may stray and count as the same: memory never stands still
 */
export async function settled(read: () => number, slack = 0): Promise<number> {
  let anchor = read();
  let same = 0;
  await until("the number stands still", () => {
    const now = read();
    const isSame = Math.abs(now - anchor) <= slack;
    same = isSame ? same + 1 : 0;
    if (!isSame) anchor = now;
    return same > 40;
  });
  return anchor;
}
