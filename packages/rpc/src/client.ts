import {
  type ClusterSecret,
  DsmError,
  limits,
  type MessageName,
  type RequestOf,
  type ResponseOf,
  type Role,
} from "@dsm/protocol";
import { ClientConnection } from "./client-connection.ts";
import { parseEndpoint } from "./endpoint.ts";
import { within } from "./within.ts";

/** How to speak to servers: what one endpoint and a pool of them have in common. */
export interface RpcAskerOptions {
  /** What this side is; servers answer some messages to some roles only. */
  readonly role: Role;
  readonly secret: ClusterSecret;
  /** For a call from its start to its answer, unless the call says otherwise. */
  readonly requestTimeoutMs?: number;
  /** For a connection and its handshake. */
  readonly connectTimeoutMs?: number;
}

export interface RpcClientOptions extends RpcAskerOptions {
  /** host:port, an IPv6 host in brackets. */
  readonly endpoint: string;
  /** There is no other server to ask: a call that a broken connection lost is said again. */
  readonly isOnly?: boolean;
}

export interface RpcCallOptions {
  readonly timeoutMs?: number;
  /** Gives the call up with the signal's reason; the server may still act on it. */
  readonly signal?: AbortSignal | undefined;
}

/** One server that can be asked. */
export interface RpcAsker {
  readonly endpoint: string;
  call<N extends MessageName>(
    name: N,
    request: RequestOf<N>,
    options?: RpcCallOptions,
  ): Promise<ResponseOf<N>>;
  close(): void;
}

/** How to come by an asker; it says nothing to the server yet. @throws DsmError BAD_CONFIG */
export type Dial = (options: RpcClientOptions) => RpcAsker;

/** The way outside of simulations. */
export const dialTcp: Dial = (options) => new RpcClient(options);

/**
 * Asks one server. It connects on first use and again on the first call after a loss; calls run
 * side by side over one connection.
 */
export class RpcClient implements RpcAsker {
  readonly endpoint: string;
  readonly #options: RpcClientOptions;
  readonly #requestTimeoutMs: number;
  #connection: ClientConnection | undefined;
  /** With those that take no calls any more and still wait for answers. */
  #connections: ClientConnection[] = [];
  #connecting: Promise<ClientConnection> | undefined;
  #closed = false;

  /** @throws DsmError BAD_CONFIG when the endpoint is none */
  constructor(options: RpcClientOptions) {
    parseEndpoint(options.endpoint);
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? limits.requestTimeoutMs;
  }

  /**
   * @throws DsmError the server's own; UNREACHABLE without a connection or when it is lost before
   * the answer (the server may have acted); TIMEOUT; FORBIDDEN when the secrets differ; BAD_FRAME
   * when the server talks nonsense; OVERLOADED when too many calls wait already
   */
  async call<N extends MessageName>(
    name: N,
    request: RequestOf<N>,
    options: RpcCallOptions = {},
  ): Promise<ResponseOf<N>> {
    const { timeoutMs = this.#requestTimeoutMs, signal } = options;
    signal?.throwIfAborted();
    const startMs = performance.now();
    const limitsOfCall = { startMs, timeoutMs, signal };
    const known = this.#connection;
    if (known?.usable === true) {
      try {
        // The connection checks the answer against the schema of this very message.
        return (await known.call(name, request, limitsOfCall)) as ResponseOf<N>;
      } catch (thrown) {
        if (!this.#mayGoAgain(known, thrown)) throw thrown;
      }
    }
    const connection = await within(this.#connect(), limitsOfCall, () => {
      const message = `${this.endpoint} did not take the connection within ${timeoutMs} ms`;
      return new DsmError("TIMEOUT", message);
    });
    return connection.call(name, request, limitsOfCall) as Promise<ResponseOf<N>>;
  }

  /** Ends the connection; calls in flight and later ones fail with UNREACHABLE. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.close(this.#closedError());
  }

  /**
   * A connection that was there before and broke says little of the server: it was restarted, or
   * its address has moved to another host. Where there is no other one to ask, it is asked again.
   */
  #mayGoAgain(broken: ClientConnection, thrown: unknown): boolean {
    if (this.#options.isOnly !== true || this.#closed || !broken.over) return false;
    return thrown instanceof DsmError && thrown.code === "UNREACHABLE";
  }

  /** Concurrent callers share one attempt. */
  #connect(): Promise<ClientConnection> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#connecting !== undefined) return this.#connecting;
    const connection = new ClientConnection({
      endpoint: this.endpoint,
      role: this.#options.role,
      secret: this.#options.secret,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? limits.connectTimeoutMs,
      silenceMs: this.#requestTimeoutMs / 2,
    });
    this.#connection = connection;
    this.#connections = [...this.#connections.filter(({ over }) => !over), connection];
    this.#connecting = connection.ready.finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  #closedError(): DsmError {
    return new DsmError("UNREACHABLE", `the connection to ${this.endpoint} was closed here`);
  }
}
