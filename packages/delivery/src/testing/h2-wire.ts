import { connect, type TLSSocket } from "node:tls";
import { until } from "@dsm/testkit";

/** RFC 9113, section 6. */
export const frameTypes = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const endStream = 0x1;
export const endHeaders = 0x4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const frameHeadBytes = 9;
const windowMaxBytes = 2 ** 31 - 1;

/**
 * HTTP/2 frame by frame: it sees exactly what the server says, and says what no client would.
 * It answers SETTINGS and PING, and hands the server a window as large as there is.
 */
export class H2Wire implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  isClosed = false;
  #rest = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (data: Buffer) => this.#take(data));
    socket.on("error", () => {});
    socket.once("close", () => (this.isClosed = true));
  }

  static async connect({ url }: { url: string }): Promise<H2Wire> {
    const { hostname: host, port } = new URL(url);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const address = { host, port: Number(port), ALPNProtocols: ["h2"], rejectUnauthorized: false };
    const socket = connect(address, () => {
      socket.write(preface);
      resolve();
    });
    socket.once("error", reject);
    const wire = new H2Wire(socket);
    await promise;
    wire.#welcome();
    return wire;
  }

  #welcome(): void {
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0); // SETTINGS_INITIAL_WINDOW_SIZE
    settings.writeUInt32BE(windowMaxBytes, 2);
    const more = Buffer.alloc(4);
    more.writeUInt32BE(windowMaxBytes - 65_535);
    this.send(frameTypes.settings, 0, 0, settings);
    this.send(frameTypes.windowUpdate, 0, 0, more);
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): void {
    const head = Buffer.alloc(frameHeadBytes);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.socket.write(Buffer.concat([head, payload]));
  }

  get(stream: number, path = "/"): void {
    const flags = endStream | endHeaders;
    this.send(frameTypes.headers, flags, stream, fields(requestLine("GET", path)));
  }

  /** The head of an upload; the body follows as DATA. */
  put(stream: number, path = "/", headers: Record<string, string> = {}): void {
    const block = fields({ ...requestLine("PUT", path), ...headers });
    this.send(frameTypes.headers, endHeaders, stream, block);
  }

  reset(stream: number, code = 8): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    this.send(frameTypes.resetStream, 0, stream, payload);
  }

  /** What came for one stream, or with 0 for the connection. */
  of(stream: number): Frame[] {
    return this.frames.filter((frame) => frame.stream === stream);
  }

  bytesOf(stream: number): number {
    const data = this.of(stream).filter(({ type }) => type === frameTypes.data);
    return data.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** How the server ended a stream: `whole`, the code of its RST_STREAM, or not yet. */
  endOf(stream: number): "whole" | number | undefined {
    const frames = this.of(stream);
    if (frames.some(({ type, flags }) => type <= 1 && (flags & endStream) !== 0)) return "whole";
    const reset = frames.find(({ type }) => type === frameTypes.resetStream);
    return reset?.payload.readUInt32BE();
  }

  async ended(stream: number): Promise<"whole" | number> {
    await until(`stream ${stream} ends`, () => this.isClosed || this.endOf(stream) !== undefined);
    const end = this.endOf(stream);
    if (end === undefined) throw new Error(`the connection was closed before stream ${stream}`);
    return end;
  }

  async closed(): Promise<void> {
    await until("the server closes the connection", () => this.isClosed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed();
  }

  #take(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= frameHeadBytes) {
      const endsAt = frameHeadBytes + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < endsAt) return;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5);
      const payload = this.#rest.subarray(frameHeadBytes, endsAt);
      this.#rest = this.#rest.subarray(endsAt);
      this.#answer({ type, flags, stream, payload });
    }
  }

  #answer(frame: Frame): void {
    this.frames.push(frame);
    if ((frame.flags & endStream) !== 0) return;
    if (frame.type === frameTypes.settings) this.send(frameTypes.settings, endStream, 0);
    if (frame.type === frameTypes.ping) this.send(frameTypes.ping, endStream, 0, frame.payload);
  }
}

export function requestLine(method: string, path: string): Record<string, string> {
  return { ":method": method, ":scheme": "https", ":authority": "test", ":path": path };
}

/** A block of header fields. */
export function fields(headers: Record<string, string>): Buffer {
  return Buffer.concat(Object.entries(headers).map(([name, value]) => literal(name, value)));
}

/** A field that no table remembers (RFC 7541, section 6.2.2). */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), string(name), string(value)]);
}

/** RFC 7541, sections 5.1 and 5.2: a length with a prefix of 7 bits, then the bytes as they are. */
function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  const digits: number[] = [];
  if (bytes.length < 0x7f) digits.push(bytes.length);
  else {
    digits.push(0x7f);
    let left = bytes.length - 0x7f;
    for (; left >= 0x80; left >>= 7) digits.push((left & 0x7f) | 0x80);
    digits.push(left);
  }
  return Buffer.concat([Buffer.from(digits), bytes]);
}
