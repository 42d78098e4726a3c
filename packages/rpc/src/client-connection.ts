import { randomBytes } from "node:crypto";
import {
  AskerHandshake,
  type ClusterSecret,
  DsmError,
  encodeFrame,
  errorOf,
  type Frame,
  FrameDecoder,
  limits,
  type MessageName,
  messages,
  type Role,
} from "@dsm/protocol";
import type { Socket } from "bun";
import { connectSocket, reachRemedy, type SocketOwner } from "./connect.ts";
import { Outbox } from "./outbox.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { type CallOptions, PendingCalls } from "./pending-calls.ts";

export interface ConnectionOptions {
  readonly endpoint: string;
  readonly role: Role;
  readonly secret: ClusterSecret;
  /** For the connection and the handshake together. */
  readonly connectTimeoutMs: number;
  /** A server that says nothing for this long while calls time out is no longer asked here. */
  readonly silenceMs: number;
}

/** One proved connection to a server, with many calls in flight. It never connects again. */
export class ClientConnection implements SocketOwner {
  readonly #options: ConnectionOptions;
  readonly #handshake: AskerHandshake;
  readonly #decoder = new FrameDecoder(limits.handshakeFrameMaxBytes);
  readonly #pending: PendingCalls;
  readonly #ready = Promise.withResolvers<ClientConnection>();
  readonly #connectTimer: Timer;
  #socket: Socket<SocketOwner> | undefined;
  #outbox: Outbox | undefined;
  #proved = false;
  /** Takes no calls any more; closes when those in flight are over. */
  #retired = false;
  /** Why the connection is over. */
  #fault: DsmError | undefined;
  readonly #watch = new SilenceWatch({
    // A server that has that many of ours at work reads nothing more, not even a ping.
    owes: () => this.#pending.size > 0 && this.#pending.size < limits.inFlightPerConnectionMax,
    ping: (timeoutMs) => {
      return this.call("ping", {}, { startMs: performance.now(), timeoutMs, signal: undefined });
    },
    onDead: () => this.close(this.#silent()),
  });

  constructor(options: ConnectionOptions) {
    const { endpoint, role, secret, connectTimeoutMs } = options;
    this.#options = options;
    const nonce = randomBytes(16).toString("base64url");
    this.#handshake = new AskerHandshake({ role, secret, nonce });
    this.#pending = new PendingCalls(endpoint, () => this.#onTimeout());
    this.#connectTimer = setTimeout(() => {
      const message = `${endpoint} did not take the connection within ${connectTimeoutMs} ms`;
      this.close(new DsmError("UNREACHABLE", message, { remedy: reachRemedy }));
    }, connectTimeoutMs).unref();
    connectSocket(endpoint, this).catch((error: unknown) =>
      this.close(DsmError.from(error, `connecting to ${endpoint}`)),
    );
  }

  /** Resolves once both sides have proved the secret; rejects with why that did not happen. */
  get ready(): Promise<ClientConnection> {
    return this.#ready.promise;
  }

  /** True while it may be given calls. */
  get usable(): boolean {
    return this.#proved && this.#fault === undefined && !this.#retired;
  }

  get over(): boolean {
    return this.#fault !== undefined;
  }

  call(name: MessageName, body: unknown, options: CallOptions): Promise<unknown> {
    const { endpoint } = this.#options;
    if (this.#outbox === undefined || this.#fault !== undefined) {
      return Promise.reject(this.#fault ?? lost(endpoint, name));
    }
    const backlogBytes = this.#outbox.queuedBytes;
    if (this.#pending.size >= limits.pendingCallsMax || backlogBytes > limits.callBacklogMaxBytes) {
      const waiting = `${this.#pending.size} calls and ${backlogBytes} bytes wait for ${endpoint}`;
      const remedy = "ask less at the same time";
      return Promise.reject(new DsmError("OVERLOADED", waiting, { remedy }));
    }
    const requestId = this.#pending.nextId();
    const { type } = messages[name];
    try {
      this.#outbox.send(encodeFrame({ kind: "request", type, requestId, body }));
    } catch (tooLarge) {
      return Promise.reject(DsmError.from(tooLarge, `encoding the ${name} request`));
    }
    this.#watch.asked();
    return this.#pending.add(requestId, name, options);
  }

  /** Ends the connection for this reason, and with it every call. */
  close(fault: DsmError): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    clearTimeout(this.#connectTimer);
    this.#watch.end();
    this.#ready.reject(fault);
    this.#outbox?.discard();
    this.#pending.failAll(() => fault);
    this.#socket?.end();
  }

  opened(socket: Socket<SocketOwner>): void {
    if (this.#fault !== undefined) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.keepAliveMs);
    this.#outbox = new Outbox(socket, () => {
      const message = `${this.#options.endpoint} took no bytes for ${limits.outboxStallMs} ms`;
      this.close(new DsmError("UNREACHABLE", message, { remedy: reachRemedy }));
    });
    this.#outbox.send(encodeFrame(this.#handshake.open()));
  }

  receive(bytes: Buffer): void {
    if (this.#fault !== undefined) return;
    this.#watch.heard();
    try {
      for (const frame of this.#decoder.push(bytes)) {
        if (this.#proved) this.#answer(frame);
        else this.#shakeHands(frame);
      }
    } catch (thrown) {
      const { code, message, remedy } = DsmError.from(thrown, "reading a frame");
      const what = `the connection to ${this.#options.endpoint} failed: ${message}`;
      this.close(new DsmError(code, what, { remedy, cause: thrown }));
    }
    this.#closeWhenRetired();
  }

  drained(): void {
    this.#outbox?.drained();
  }

  closed(): void {
    const { endpoint } = this.#options;
    if (!this.#proved) {
      const message = `${endpoint} closed the connection before it proved itself`;
      this.close(new DsmError("UNREACHABLE", message, { remedy: reachRemedy }));
      return;
    }
    this.#pending.failAll((name) => lost(endpoint, name));
    this.close(new DsmError("UNREACHABLE", `${endpoint} closed the connection`));
  }

  #shakeHands(frame: Frame): void {
    const { send, session } = this.#handshake.receive(frame);
    if (send !== undefined) this.#outbox?.send(encodeFrame(send));
    if (session === undefined) return;
    this.#proved = true;
    this.#decoder.raiseLimit(limits.frameMaxBytes);
    clearTimeout(this.#connectTimer);
    this.#ready.resolve(this);
  }

  #answer(frame: Frame): void {
    if (frame.kind === "response") return this.#pending.settle(frame, undefined);
    if (frame.kind !== "error") {
      throw new DsmError("BAD_FRAME", `expected an answer and got a ${frame.kind} frame`);
    }
    // Request id 0 is no call's: the server speaks of the connection and is about to close it.
    if (frame.requestId === 0) throw errorOf(frame);
    this.#pending.settle(frame, errorOf(frame));
  }

  /**
   * A peer whose host is gone sends no FIN: a connection on which a call timed out and nothing
   * was heard is left to its calls in flight, and the next call connects anew.
   */
  #onTimeout(): void {
    const silentMs = performance.now() - this.#watch.heardAtMs;
    const owed = this.#pending.abandoned >= limits.inFlightPerConnectionMax;
    if (silentMs >= this.#options.silenceMs || owed) this.#retired = true;
    this.#closeWhenRetired();
  }

  #closeWhenRetired(): void {
    if (!this.#retired || this.#pending.size > 0) return;
    this.close(this.#silent());
  }

  #silent(): DsmError {
    const message = `${this.#options.endpoint} fell silent: its host, its network or it is stuck`;
    return new DsmError("UNREACHABLE", message, { remedy: reachRemedy });
  }
}

function lost(endpoint: string, name: MessageName): DsmError {
  const message = `${endpoint} closed the connection before it answered ${name}`;
  return new DsmError("UNREACHABLE", message, { remedy: reachRemedy });
}
