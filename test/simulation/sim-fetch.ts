import { type ErrorCode, errorTable, type DsmError } from "@dsm/protocol";
import { Channel } from "./channel.ts";
import type { Life } from "./host.ts";
import type { Listener, Network } from "./network.ts";

export interface DataRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface DataAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A process that serves a data port. */
export interface DataListener extends Listener {
  serve(request: DataRequest): Promise<DataAnswer>;
}

/** What a data port answers where it fails: problem JSON, as RFC 9457 has it. */
export function problemOf({ code, message, remedy }: DsmError): DataAnswer {
  const problem: { code: ErrorCode; detail: string; remedy?: string } = { code, detail: message };
  if (remedy !== undefined) problem.remedy = remedy;
  return { status: errorTable[code].http, body: JSON.stringify(problem) };
}

/** `fetch` of a process of the simulation: each request has a connection of its own. */
export function simFetch(network: Network, life: Life) {
  return (url: URL, init: RequestInit): Promise<Response> => {
    network.figures.requests++;
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const { signal } = init;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    const failed = (code: string) => () => reject(Object.assign(new Error(code), { code }));
    Channel.open(network, life, url.host, {
      opened: (channel) => {
        if (signal?.aborted === true) return channel.forget();
        void bytesOf(init.body).then((body) => {
          const { method = "GET", headers } = init;
          const request = { method, path: url.pathname, headers: new Headers(headers), body };
          ask(network, channel, request, resolve);
        }, reject);
      },
      refused: failed("ECONNREFUSED"),
      lost: failed("ECONNRESET"),
    });
    return promise;
  };
}

function ask(
  network: Network,
  channel: Channel,
  request: DataRequest,
  resolve: (response: Response) => void,
): void {
  const listener = channel.listener as DataListener;
  channel.there(() => {
    void listener.serve(request).then(
      ({ status, headers = {}, body = "" }) => {
        if (listener.life.isOver) return;
        channel.back(() => {
          channel.forget();
          resolve(new Response(status === 204 ? null : body, { status, headers }));
        });
      },
      (thrown) => network.witness.accuse(`a data port failed: ${thrown}`),
    );
  });
}

/** The bodies of the SDK are async iterables of pieces. */
async function bytesOf(body: RequestInit["body"]): Promise<Uint8Array> {
  if (body === undefined || body === null) return new Uint8Array();
  const pieces: Uint8Array[] = [];
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) pieces.push(piece);
  return Buffer.concat(pieces);
}
