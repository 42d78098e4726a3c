import { connect, type Socket } from "node:net";

/** What came back, as it was on the wire: nothing joined, nothing decoded but the framing. */
export interface Head {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** In their order, names as they were sent, those that came twice twice. */
  readonly fields: readonly Field[];
}

export type Field = readonly [name: string, value: string];

/** How the end of the body was told (RFC 9112, section 6.3). */
export type Framing = "none" | "length" | "chunked" | "close" | "stream";

export interface Answer extends Head {
  readonly framing: Framing;
  readonly body: Buffer;
}

/** The server closed before an answer was whole, or answered what is no HTTP. */
export class WireError extends Error {}

/** A test waits so long for bytes before it says that none came. */
const silenceMaxMs = 10_000;
const headMaxBytes = 64 * 1024;

/**
 * A bare connection to an HTTP/1.1 server, for what no client would send and for seeing what no
 * client would show: it corrects nothing on the way out and forgives nothing on the way in.
 */
export class Wire implements AsyncDisposable {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#heldBytes += chunk.length;
      this.#wake?.();
    });
    const end = () => {
      this.#isOver = true;
      this.#wake?.();
    };
    socket.on("error", end);
    socket.once("end", end);
    socket.once("close", end);
  }

  static async connect(port: number): Promise<Wire> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect(
      { port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true },
      resolve,
    );
    socket.once("error", reject);
    const wire = new Wire(socket);
    await promise;
    return wire;
  }

  /** The server has ended the connection, and all that it sent before was taken. */
  get isOver(): boolean {
    return this.#isOver && this.#heldBytes === 0;
  }

  /** A string is sent as latin1, a char per byte. */
  send(bytes: string | Uint8Array): void {
    if (this.#isOver) return;
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Closes the half on which requests go (RFC 9112, section 9.6). */
  finish(): void {
    this.#socket.end();
  }

  /** Sends a whole request and reads its whole answer. */
  async exchange(request: string | Uint8Array, method: string): Promise<Answer> {
    this.send(request);
    return this.answer(method);
  }

  /** @throws WireError */
  async answer(method: string): Promise<Answer> {
    const head = await this.head();
    const framing = framingOf(head, method);
    return { ...head, framing, body: await this.#body(head, framing) };
  }

  /** The next head that is no 1xx. @throws WireError */
  async head(): Promise<Head> {
    for (;;) {
      const head = parseHead(await this.#upTo("\r\n\r\n"));
      if (head.status >= 200 || head.status === 101) return head;
    }
  }

  /** Exactly so many bytes. @throws WireError when the connection ends before */
  async bytes(count: number): Promise<Buffer> {
    while (this.#heldBytes < count) await this.#more(`${this.#heldBytes} of ${count} bytes`);
    return this.#take(count);
  }

  /** All that comes until the server closes. */
  async rest(): Promise<Buffer> {
    while (!this.#isOver) await this.#more("the end").catch(passOver);
    return this.#take(this.#heldBytes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  async #body(head: Head, framing: Framing): Promise<Buffer> {
    if (framing === "none") return Buffer.alloc(0);
    if (framing === "length") return this.bytes(Number(fieldOf(head, "content-length")));
    if (framing === "close") return this.rest();
    const chunks: Buffer[] = [];
    for (;;) {
      const line = (await this.#upTo("\r\n")).toString("latin1");
      const size = /^([0-9a-f]+)(?:;.*)?\r\n$/i.exec(line)?.[1];
      if (size === undefined) throw new WireError(`no chunk size: ${JSON.stringify(line)}`);
      const sizeBytes = Number.parseInt(size, 16);
      const chunk = await this.bytes(sizeBytes + 2);
      if (chunk.toString("latin1", sizeBytes) !== "\r\n") throw new WireError("no end of chunk");
      if (sizeBytes === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, sizeBytes));
    }
  }

  async #upTo(mark: string): Promise<Buffer> {
    for (;;) {
      const held = this.#joined();
      const at = held.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      if (held.length > headMaxBytes) throw new WireError("a head without end");
      await this.#more(`${JSON.stringify(held.toString("latin1").slice(0, 200))}, no whole head`);
    }
  }

  /** @throws WireError when the connection is over, with what there was of the awaited */
  async #more(had: string): Promise<void> {
    if (this.#isOver) throw new WireError(`the server closed: ${had}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(() => reject(new Error(`silence: ${had}`)), silenceMaxMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #joined(): Buffer {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #take(count: number): Buffer {
    const held = this.#joined();
    this.#chunks = [held.subarray(count)];
    this.#heldBytes -= count;
    return held.subarray(0, count);
  }
}

function passOver(error: unknown): void {
  if (!(error instanceof WireError)) throw error;
}

/** RFC 9112, sections 4 and 5, without one of the liberties that section 2.2 gives to readers. */
function parseHead(bytes: Buffer): Head {
  const [statusLine = "", ...lines] = bytes.toString("latin1").slice(0, -4).split("\r\n");
  const status = /^(HTTP\/\d\.\d) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$/.exec(statusLine);
  if (status === null) throw new WireError(`no status line: ${JSON.stringify(statusLine)}`);
  const fields = lines.map((line): Field => {
    const field =
      /^([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)?)$/;
    const [, name, value] = field.exec(line) ?? [];
    if (name === undefined) throw new WireError(`no header field: ${JSON.stringify(line)}`);
    return [name, (value ?? "").trimEnd()];
  });
  const [, version = "", code = "", reason = ""] = status;
  return { version, status: Number(code), reason, fields };
}

/** RFC 9112, section 6.3. */
function framingOf(head: Head, method: string): Framing {
  const codings = fieldsOf(head, "transfer-encoding");
  const lengths = fieldsOf(head, "content-length");
  if (lengths.length > 1) throw new WireError(`${lengths.length} times Content-Length`);
  if (lengths[0] !== undefined && !/^\d+$/.test(lengths[0])) throw new WireError("no length");
  if (codings.length > 0 && lengths.length > 0) throw new WireError("two framings of one body");
  if (method === "HEAD" || head.status === 204 || head.status === 304) return "none";
  if (codings.length > 0) return "chunked";
  return lengths.length > 0 ? "length" : "close";
}

/** The values of a field, each as it was sent. */
export function fieldsOf(head: Head, name: string): string[] {
  return head.fields.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
}

/** @throws Error when it was sent twice: a client that takes either may be led astray */
export function fieldOf(head: Head, name: string): string | undefined {
  const values = fieldsOf(head, name);
  if (values.length > 1) throw new Error(`${name} came ${values.length} times: ${values.join()}`);
  return values[0];
}
