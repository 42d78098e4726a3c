import { createServer, type Socket } from "node:net";
import { etagOf, type FileInfo, openCapability, type StorageAddress } from "@dsm/protocol";
import { clusterSecret, type CapabilityClaims } from "@dsm/protocol";

export const secret = clusterSecret("s".repeat(32));

/** One GET of a part, as it came over the wire. */
export interface Asked {
  readonly start: number;
  readonly endExclusive: number;
  readonly capability: string;
  readonly claims: CapabilityClaims;
}

/** Writes an answer, or part of one, or none. */
export type Manner = (socket: Socket, asked: Asked, storage: OddStorage) => void;

/**
 * A storage's data port, as far as reads go, on a raw socket: so it can answer in every wrong way
 * that a real one cannot be brought to. It checks capabilities as a real one does.
 */
export class OddStorage implements AsyncDisposable {
  readonly file: FileInfo;
  readonly content: Uint8Array;
  readonly address: StorageAddress;
  /** May be changed at any time. */
  manner: Manner;
  readonly asked: Asked[] = [];
  readonly open = new Set<Socket>();
  connections = 0;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, options: OddStorageOptions) {
    this.#server = server;
    this.file = options.file;
    this.content = options.content;
    this.manner = options.manner ?? right;
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const url = `http://127.0.0.1:${port}`;
    this.address = { storageId: options.id, dataUrl: url, publicUrl: url };
  }

  static async start(options: OddStorageOptions): Promise<OddStorage> {
    const server = createServer((socket) => storage.#serve(socket));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    const storage = new OddStorage(server, options);
    return storage;
  }

  head(asked: Asked, over: { range?: string; etag?: string; lengthBytes?: number } = {}): string {
    const { start, endExclusive } = asked;
    const range = over.range ?? `bytes ${start}-${endExclusive - 1}/${this.content.length}`;
    const etag = over.etag ?? etagOf(this.file.sha256);
    const length = over.lengthBytes ?? endExclusive - start;
    return (
      `HTTP/1.1 206 Partial Content\r\nContent-Range: ${range}\r\nETag: ${etag}\r\n` +
      `Content-Length: ${length}\r\n\r\n`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.open) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.open.add(socket);
    socket.on("close", () => this.open.delete(socket));
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        this.#answer(socket, head);
      }
    });
  }

  #answer(socket: Socket, head: string): void {
    const [, first = "", last = ""] = /^range: bytes=(\d+)-(\d+)$/im.exec(head) ?? [];
    const [, capability = ""] = /^authorization: Bearer (.+)$/im.exec(head) ?? [];
    const claims = openCapability(secret, capability, 0);
    const range = { start: Number(first), endExclusive: Number(last) + 1 };
    const asked = { ...range, capability, claims };
    this.asked.push(asked);
    if (claims.expiresAtMs <= Date.now()) refused(socket, asked, this);
    else this.manner(socket, asked, this);
  }
}

export interface OddStorageOptions {
  readonly id: string;
  readonly file: FileInfo;
  readonly content: Uint8Array;
  readonly manner?: Manner;
}

const bytesOf = (asked: Asked, storage: OddStorage) =>
  storage.content.subarray(asked.start, asked.endExclusive);

/** As a good storage answers. */
export const right: Manner = (socket, asked, storage) => {
  socket.write(storage.head(asked));
  socket.write(bytesOf(asked, storage));
};

const problem = (status: string, code: string) => {
  const body = JSON.stringify({ code, detail: `it is ${code}` });
  const type = "Content-Type: application/problem+json";
  return `HTTP/1.1 ${status}\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

export const refused: Manner = (socket) => socket.write(problem("403 Forbidden", "FORBIDDEN"));

/** Takes the request and says nothing more. */
export const hangs: Manner = () => {};

/** Every wrong way to answer, by name. All but the last two give no right byte. */
export const wrongManners: Readonly<Record<string, Manner>> = {
  "resets the connection": (socket) => socket.resetAndDestroy(),
  "closes without an answer": (socket) => socket.destroySoon(),
  "hangs before its answer": hangs,
  "hangs behind its head": (socket, asked, storage) => socket.write(storage.head(asked)),
  "answers 503": (socket) => socket.write(problem("503 Gone Fishing", "DRAINING")),
  "answers 500 with what is no problem": (socket) =>
    socket.write("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"),
  "answers 500 without an end": (socket) => {
    socket.write("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n");
    const page = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const more = () => {
      if (!socket.destroyed) while (socket.write(page));
    };
    socket.on("drain", more);
    more();
  },
  "answers 404": (socket) => socket.write(problem("404 Not Found", "FILE_NOT_FOUND")),
  "answers 412": (socket) => socket.write(problem("412 No", "PRECONDITION_FAILED")),
  "answers 403": refused,
  "answers 200 with the whole file": (socket, _asked, storage) => {
    const { length } = storage.content;
    const etag = etagOf(storage.file.sha256);
    socket.write(`HTTP/1.1 200 OK\r\nETag: ${etag}\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write(storage.content);
  },
  "answers with another range": (socket, asked, storage) => {
    const range = `bytes 0-${asked.endExclusive - asked.start - 1}/${storage.content.length}`;
    socket.write(storage.head(asked, { range }));
    socket.write(storage.content.subarray(0, asked.endExclusive - asked.start));
  },
  "answers with another version": (socket, asked, storage) => {
    socket.write(storage.head(asked, { etag: etagOf("f".repeat(64)) }));
    socket.write(bytesOf(asked, storage));
  },
  redirects: (socket) =>
    socket.write("HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
  "speaks no HTTP": (socket) => socket.write("220 ready\r\n\r\n"),
  "sends less than its length and closes": (socket, asked, storage) => {
    socket.write(storage.head(asked));
    const bytes = bytesOf(asked, storage);
    socket.end(bytes.subarray(0, bytes.length / 2));
  },
  "announces less than was asked for": (socket, asked, storage) => {
    const bytes = bytesOf(asked, storage);
    const lengthBytes = Math.ceil(bytes.length / 2);
    socket.write(storage.head(asked, { lengthBytes }));
    socket.write(bytes.subarray(0, lengthBytes));
  },
  "sends half and hangs": (socket, asked, storage) => {
    socket.write(storage.head(asked));
    const bytes = bytesOf(asked, storage);
    socket.write(bytes.subarray(0, bytes.length / 2));
  },
};
