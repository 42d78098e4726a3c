import { type Clock, systemClock } from "@dsm/clock";
import { DsmError, type MessageName, type RequestOf, type ResponseOf } from "@dsm/protocol";
import {
  type Dial,
  dialTcp,
  type RpcAsker,
  type RpcAskerOptions,
  type RpcCallOptions,
} from "./client.ts";
import { EndpointOrder } from "./endpoint-order.ts";
import { type Failure, mostTelling, worthAnother } from "./failover.ts";

export interface RpcPoolOptions extends RpcAskerOptions {
  /** Equal servers: any of them can answer. At least one. */
  readonly endpoints: readonly string[];
  /** How long a server that failed is asked last. */
  readonly endpointRestMs?: number;
  readonly dial?: Dial;
  readonly clock?: Clock;
}

export interface RpcPoolCallOptions extends RpcCallOptions {
  /** The answer before was of no use: ask another server first than the one that gave it. */
  readonly elsewhere?: boolean;
}

/** What one of the servers said to all: a response or an error. */
export interface RpcResult<N extends MessageName> {
  readonly endpoint: string;
  readonly response?: ResponseOf<N>;
  readonly error?: DsmError;
}

/**
 * Asks one of several equal servers, and the next one when that one fails. A server that was lost
 * before it answered may have acted all the same, so messages must bear being said twice.
 */
export class RpcPool {
  readonly endpoints: readonly string[];
  readonly #clients: readonly RpcAsker[];
  readonly #clock: Clock;
  readonly #order: EndpointOrder;

  /** @throws DsmError BAD_CONFIG for no endpoint or one that is none */
  constructor(options: RpcPoolOptions) {
    const { endpoints, endpointRestMs, dial = dialTcp, clock = systemClock, ...asker } = options;
    if (endpoints.length === 0) {
      throw new DsmError("BAD_CONFIG", "no server to ask is named", {
        remedy: "name at least one host:port",
      });
    }
    this.endpoints = endpoints;
    const isOnly = endpoints.length === 1;
    this.#clients = endpoints.map((endpoint) => dial({ endpoint, isOnly, ...asker }));
    this.#clock = clock;
    this.#order = new EndpointOrder(endpoints.length, endpointRestMs);
  }

  /**
   * Every server gets at most one try, and `timeoutMs` is for each of them.
   * @throws DsmError what a server said that no other would say otherwise; when all failed, the
   * most telling of their errors, or UNREACHABLE with what each of them failed of
   */
  async call<N extends MessageName>(
    name: N,
    request: RequestOf<N>,
    options: RpcPoolCallOptions = {},
  ): Promise<ResponseOf<N>> {
    const failures: Failure[] = [];
    for (const index of this.#order.at(this.#clock.monotonicMs(), options.elsewhere)) {
      const client = this.#clients[index];
      if (client === undefined) continue;
      try {
        // One after the other is the point: the next is only asked when this one failed.
        const response = await client.call(name, request, options);
        this.#order.answered(index);
        return response;
      } catch (thrown) {
        if (!worthAnother(thrown)) throw thrown;
        this.#order.failed(index, this.#clock.monotonicMs());
        failures.push({ endpoint: client.endpoint, error: thrown });
      }
    }
    throw mostTelling(name, failures);
  }

  /** Asks every server at the same time; one that fails holds up no other. */
  callAll<N extends MessageName>(
    name: N,
    request: RequestOf<N>,
    options: RpcCallOptions = {},
  ): Promise<RpcResult<N>[]> {
    return Promise.all(
      this.#clients.map(async (client) => {
        const { endpoint } = client;
        try {
          return { endpoint, response: await client.call(name, request, options) };
        } catch (thrown) {
          options.signal?.throwIfAborted();
          return { endpoint, error: DsmError.from(thrown, `asking ${endpoint}`) };
        }
      }),
    );
  }

  /** Ends all connections; later calls fail with UNREACHABLE. */
  close(): void {
    for (const client of this.#clients) client.close();
  }
}
