import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import type { Answer, Field } from "./wire.ts";

type Received = IncomingHttpHeaders & { ":status"?: number | undefined };

/** One session of HTTP/2 over TLS, on which requests follow one another. */
export class Http2Line implements AsyncDisposable {
  #session: ClientHttp2Session | undefined;

  async exchange(
    port: number,
    method: string,
    path: string,
    fields: readonly Field[],
  ): Promise<Answer> {
    if (this.#session === undefined || this.#session.closed) this.#session = open(port);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const pseudo = { ":method": method, ":path": path };
    const stream = this.#session.request({ ...pseudo, ...headersOf(fields) }, { endStream: true });
    const chunks: Buffer[] = [];
    let headers: Received = {};
    stream.on("response", (received) => (headers = received));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("end", () => resolve(answerOf(method, headers, Buffer.concat(chunks))));
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#session?.destroy();
    return Promise.resolve();
  }
}

function open(port: number): ClientHttp2Session {
  // The certificate is made for the test, and whether it is trusted is not what is tested.
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on("error", () => {});
  return session;
}

/** RFC 9113, section 8.2: names are in lower case; a field that comes twice is joined. */
function headersOf(fields: readonly Field[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return headers;
}

function answerOf(method: string, headers: Received, body: Buffer): Answer {
  const status = headers[":status"] ?? 0;
  const fields = Object.entries(headers).flatMap(([name, value]): Field[] => {
    if (name.startsWith(":") || value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map((one): Field => [name, one]);
  });
  const length = headers["content-length"];
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  // RFC 9113, section 8.1.1: a length that is not that of the body makes the message malformed.
  if (hasBody && length !== undefined && Number(length) !== body.length) {
    throw new Error(`${body.length} bytes came and Content-Length says ${length}`);
  }
  const framing = hasBody ? (length === undefined ? "stream" : "length") : "none";
  return { version: "HTTP/2", status, reason: "", fields, framing, body };
}
