import { connect, createServer, type Socket } from "node:net";

/** One answer that went through: what it was asked, and which bytes of which version it gave. */
export interface Seen {
  readonly request: string;
  readonly status: number;
  readonly etag: string;
  /** The first byte of the file that it gave; undefined where it gave none. */
  readonly first: number | undefined;
}

/** A relay between a client and a server that notes the heads of what passes. */
export class RecordingRelay implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #streams: Array<{ request: string; response: string }>;

  private constructor(
    port: number,
    streams: Array<{ request: string; response: string }>,
    close: () => Promise<void>,
  ) {
    this.port = port;
    this.#streams = streams;
    this.#close = close;
  }

  static async start(toPort: number): Promise<RecordingRelay> {
    const streams: Array<{ request: string; response: string }> = [];
    const sockets = new Set<Socket>();
    const server = createServer((down) => {
      const up = connect({ port: toPort, host: "127.0.0.1" });
      const stream = { request: "", response: "" };
      streams.push(stream);
      down.on("data", (data) => (stream.request += data.toString("latin1")));
      up.on("data", (data) => (stream.response += headsOnly(data.toString("latin1"))));
      for (const socket of [down, up]) {
        sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.once("close", () => {
          sockets.delete(socket);
          (socket === down ? up : down).destroy();
        });
      }
      down.pipe(up);
      up.pipe(down);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    const { port } = server.address() as { port: number };
    return new RecordingRelay(port, streams, async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }

  /** All answers, connection by connection; in each the nth is to the nth request. */
  seen(): Seen[] {
    return this.#streams.flatMap(({ request, response }) => {
      const requests = request.split("\r\n\r\n").filter((text) => text !== "");
      const answers = [...response.matchAll(/HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/g)];
      return answers.map(([head = "", status = ""], at) => ({
        request: requests[at] ?? "",
        status: Number(status),
        etag: /\r\netag: *(\S+)/i.exec(head)?.[1] ?? "",
        first: firstOf(Number(status), head),
      }));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function firstOf(status: number, head: string): number | undefined {
  if (status === 200) return 0;
  const first = /\r\ncontent-range: *bytes (\d+)-/i.exec(head)?.[1];
  return status === 206 && first !== undefined ? Number(first) : undefined;
}

/** Of a body nothing is kept: a head begins where a piece from the server begins. */
function headsOnly(piece: string): string {
  if (!piece.startsWith("HTTP/1.1 ")) return "";
  return piece.slice(0, piece.indexOf("\r\n\r\n") + 4);
}
