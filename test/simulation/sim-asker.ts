import { DsmError, limits, type MessageName, type RequestOf, type ResponseOf } from "@dsm/protocol";
import type { Dial, RpcAsker, RpcCallOptions, RpcClientOptions } from "@dsm/rpc";
import { Channel } from "./channel.ts";
import type { Life } from "./host.ts";
import type { Network } from "./network.ts";
import { RpcServer, type Said } from "./rpc-server.ts";

/** How a process of the simulation reaches trackers and ID servers. */
export function simDial(network: Network, life: Life): Dial {
  return (options) => new SimAsker(network, life, options);
}

interface Call {
  readonly name: MessageName;
  readonly request: unknown;
  readonly settle: (said: Said) => void;
  /** The server has acted on it. */
  isDone: boolean;
}

/**
 * Keeps the contract of RpcClient: it connects on first use and again after a loss, a call that
 * is lost may have been acted on, and a connection that is silent when a call times out is left.
 */
class SimAsker implements RpcAsker {
  readonly endpoint: string;
  readonly #network: Network;
  readonly #life: Life;
  readonly #options: RpcClientOptions;
  #line: Line | undefined;
  #isClosed = false;

  constructor(network: Network, life: Life, options: RpcClientOptions) {
    this.endpoint = options.endpoint;
    this.#network = network;
    this.#life = life;
    this.#options = options;
  }

  /** No caller in the simulation gives a call up, so there is no `signal`. */
  async call<N extends MessageName>(
    name: N,
    request: RequestOf<N>,
    options: RpcCallOptions = {},
  ): Promise<ResponseOf<N>> {
    if (this.#isClosed) throw new DsmError("UNREACHABLE", `${this.endpoint}: closed here`);
    const timeoutMs =
      options.timeoutMs ?? this.#options.requestTimeoutMs ?? limits.requestTimeoutMs;
    const said = await this.#ask(name, request, timeoutMs);
    if (said.error !== undefined) throw DsmError.fromWire(said.error.toWire());
    return said.response as ResponseOf<N>;
  }

  close(): void {
    this.#isClosed = true;
    this.#line?.end(`${this.endpoint}: closed here`);
  }

  #ask(name: MessageName, request: unknown, timeoutMs: number): Promise<Said> {
    const { promise, resolve } = Promise.withResolvers<Said>();
    this.#network.figures.calls++;
    if (this.#line === undefined || this.#line.isOver) this.#line = this.#connect();
    const line = this.#line;
    const alarm = this.#life.clock.after(timeoutMs, () => {
      const silenceMs = (this.#options.requestTimeoutMs ?? limits.requestTimeoutMs) / 2;
      line.giveUp(call, silenceMs);
      const message = `${this.endpoint} did not answer ${name} within ${timeoutMs} ms`;
      resolve({ error: new DsmError("TIMEOUT", message) });
    });
    const settle = (said: Said) => {
      alarm.cancel();
      resolve(said);
    };
    const call: Call = { name, request, settle, isDone: false };
    line.say(call);
    return promise;
  }

  #connect(): Line {
    return new Line(this.#network, this.#life, this.#options);
  }
}

/** One connection of an asker, from the first try to connect. */
class Line {
  isOver = false;
  readonly #network: Network;
  readonly #life: Life;
  readonly #options: RpcClientOptions;
  readonly #calls = new Set<Call>();
  #channel: Channel | undefined;
  #heardMs: number;

  constructor(network: Network, life: Life, options: RpcClientOptions) {
    const { endpoint, connectTimeoutMs = limits.connectTimeoutMs } = options;
    this.#network = network;
    this.#life = life;
    this.#options = options;
    this.#heardMs = life.clock.monotonicMs();
    const alarm = life.clock.after(connectTimeoutMs, () => {
      this.end(`${endpoint} did not take the connection`);
    });
    Channel.open(network, life, endpoint, {
      opened: (channel) => {
        alarm.cancel();
        this.#opened(channel);
      },
      refused: () => {
        alarm.cancel();
        this.end(`${endpoint} cannot be reached: nothing listens there`);
      },
      lost: () => this.end(`${endpoint} closed the connection before it answered`),
    });
  }

  say(call: Call): void {
    this.#calls.add(call);
    if (this.#channel !== undefined) this.#send(this.#channel, call);
  }

  /** Nobody waits for the answer any more. */
  giveUp(call: Call, silenceMs: number): void {
    this.#calls.delete(call);
    if (this.#life.clock.monotonicMs() - this.#heardMs < silenceMs) return;
    this.isOver = true;
    if (this.#calls.size === 0) this.#channel?.forget();
  }

  end(why: string): void {
    this.isOver = true;
    this.#channel?.forget();
    for (const call of this.#calls) {
      if (call.isDone) this.#network.figures.count("answer lost");
      call.settle({ error: new DsmError("UNREACHABLE", why) });
    }
    this.#calls.clear();
  }

  #opened(channel: Channel): void {
    if (this.isOver) return channel.forget();
    this.#channel = channel;
    this.#heardMs = this.#life.clock.monotonicMs();
    for (const call of this.#calls) this.#send(channel, call);
  }

  #send(channel: Channel, call: Call): void {
    const { listener } = channel;
    if (!(listener instanceof RpcServer)) throw new TypeError("no RPC server listens there");
    channel.there(() => {
      void listener.answer(call.name, call.request, this.#options.role).then(
        (said) => {
          call.isDone = true;
          if (!listener.life.isOver) channel.back(() => this.#heard(call, said));
        },
        (thrown) => this.#network.witness.accuse(`${call.name} failed: ${thrown}`),
      );
    });
  }

  #heard(call: Call, said: Said): void {
    this.#heardMs = this.#life.clock.monotonicMs();
    if (this.#calls.delete(call)) call.settle(said);
  }
}
