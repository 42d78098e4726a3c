import { createServer, type Server, type Socket } from "node:net";
import { clusterSecret, etagOf, type StorageState } from "@dsm/protocol";
import { RpcClient } from "@dsm/rpc";

/** What it does with a request: sends half of the answer and closes, or says nothing more. */
type Fault = "half" | "hang";

interface FalseStorageOptions {
  readonly storageId: string;
  readonly trackers: readonly string[];
  readonly secret: string;
  readonly content: Uint8Array;
  readonly faults: readonly Fault[];
}

/**
 * Joins the cluster as a storage does, by the real message, and beats; but on its data port it
 * does one wrong thing after the other.
 */
export class FalseStorage implements AsyncDisposable {
  readonly done: Fault[] = [];
  readonly #options: FalseStorageOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #clients: readonly RpcClient[];
  readonly #sha256: string;
  #timer: Timer | undefined;

  private constructor(options: FalseStorageOptions) {
    this.#options = options;
    this.#sha256 = Bun.SHA256.hash(options.content, "hex");
    this.#server = createServer((socket) => this.#serve(socket));
    const secret = clusterSecret(options.secret);
    this.#clients = options.trackers.map(
      (endpoint) => new RpcClient({ endpoint, role: "storage", secret }),
    );
  }

  /** Every tracker has heard of it then. */
  static async start(options: FalseStorageOptions): Promise<FalseStorage> {
    const storage = new FalseStorage(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    storage.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    const tell = (name: "join" | "heartbeat") =>
      Promise.all(storage.#clients.map((client) => client.call(name, storage.#state())));
    await tell("join");
    storage.#timer = setInterval(() => void tell("heartbeat").catch(() => {}), 100);
    return storage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const client of this.#clients) client.close();
    for (const socket of this.#sockets) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #state(): StorageState {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    const url = `http://127.0.0.1:${address.port}`;
    return {
      storageId: this.#options.storageId,
      group: "g1",
      dataUrl: url,
      publicUrl: url,
      freeBytes: 0,
      totalBytes: 0,
      // So that nobody uploads to it.
      full: true,
      activeRequests: 0,
      draining: false,
      incarnation: "false",
      softwareVersion: "0",
    };
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let head = "";
    socket.on("data", (data: Uint8Array) => {
      head += Buffer.from(data).toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      this.#answer(socket, head);
      head = "";
    });
  }

  #answer(socket: Socket, head: string): void {
    const { content, faults } = this.#options;
    const fault = faults[this.done.length % faults.length] ?? "hang";
    this.done.push(fault);
    if (fault === "hang") return;
    const [, first, last] = /^range: bytes=(\d+)-(\d+)$/im.exec(head) ?? [];
    const [start, endExclusive] = [Number(first), Number(last) + 1];
    const range = `bytes ${start}-${endExclusive - 1}/${content.length}`;
    const length = endExclusive - start;
    socket.write(
      `HTTP/1.1 206 Partial Content\r\nContent-Range: ${range}\r\n` +
        `ETag: ${etagOf(this.#sha256)}\r\nContent-Length: ${length}\r\n\r\n`,
    );
    socket.end(content.subarray(start, start + Math.floor(length / 2)));
  }
}
