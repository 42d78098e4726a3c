import type { Socket } from "bun";

interface Turn {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One keep-alive connection to a data port that puts files one after another, with as little work
 * of its own as can be: what the load generator takes is missing to the cluster on the other core.
 */
export class PutConnection implements Disposable {
  readonly #socket: Socket;
  #unsent: Buffer[] = [];
  #answer = "";
  #turn: Turn | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(dataUrl: string): Promise<PutConnection> {
    const { hostname, port } = new URL(dataUrl);
    const opened = Promise.withResolvers<PutConnection>();
    let connection: PutConnection | undefined;
    await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open(socket) {
          connection = new PutConnection(socket);
          opened.resolve(connection);
        },
        data: (_, chunk) => connection?.take(chunk),
        drain: () => connection?.flush(),
        close: () => connection?.fail(new Error("the storage closed the connection")),
        error: (_, error) => connection?.fail(error),
        connectError: (_, error) => opened.reject(error),
      },
    });
    return await opened.promise;
  }

  /** @throws Error with the answer when it is another one than 201 */
  put(path: string, headers: string, body: Buffer): Promise<void> {
    const head = `PUT ${path} HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#turn = { resolve, reject };
    this.#answer = "";
    const small = body.length <= 64 * 1024;
    this.#unsent = small ? [Buffer.concat([Buffer.from(head), body])] : [Buffer.from(head), body];
    this.flush();
    return promise;
  }

  flush(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const sent = this.#socket.write(next);
      if (sent < next.length) {
        this.#unsent[0] = next.subarray(Math.max(sent, 0));
        return;
      }
      this.#unsent.shift();
    }
  }

  take(chunk: Buffer): void {
    this.#answer += chunk.toString("latin1");
    const headEnd = this.#answer.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#answer)?.[1] ?? "0";
    if (this.#answer.length < headEnd + 4 + Number(length)) return;
    if (this.#answer.startsWith("HTTP/1.1 201")) this.#turn?.resolve();
    else this.fail(new Error(this.#answer));
  }

  fail(error: Error): void {
    this.#turn?.reject(error);
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
