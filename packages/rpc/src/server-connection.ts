import { randomBytes } from "node:crypto";
import {
  type ClusterSecret,
  DsmError,
  encodeFrame,
  type Frame,
  FrameDecoder,
  limits,
  type Role,
  ServerHandshake,
} from "@dsm/protocol";
import type { Socket } from "bun";
import { formatEndpoint } from "./endpoint.ts";
import type { Dispatch, RpcContext } from "./handlers.ts";
import { Outbox } from "./outbox.ts";
import { draining, errorBytes, internalError, isThenable } from "./reply.ts";

export type ServerSocket = Socket<ServerConnection>;

export interface ServerConnectionOptions {
  readonly role: Role;
  readonly secret: ClusterSecret;
  readonly dispatch: Dispatch;
  readonly handshakeTimeoutMs: number;
  readonly onFault: (error: DsmError, peer: string) => void;
}

// Reading goes on once half of the bound is free, not with every single answer.
const inFlightResume = limits.inFlightPerConnectionMax / 2;
const nothing = Buffer.alloc(0);

/** One asker at a server: handshake, then requests, each answered as soon as it is ready. */
export class ServerConnection {
  readonly #socket: ServerSocket;
  readonly #options: ServerConnectionOptions;
  readonly #peer: string;
  readonly #outbox: Outbox;
  readonly #decoder = new FrameDecoder(limits.handshakeFrameMaxBytes);
  readonly #handshake: ServerHandshake;
  readonly #gone = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #timer: Timer | undefined;
  /** Present once the asker has proved the secret. */
  #context: RpcContext | undefined;
  #inFlight = 0;
  #paused = false;
  #draining = false;
  /** No request is taken any more. */
  #ending = false;

  constructor(socket: ServerSocket, options: ServerConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#peer = formatEndpoint(socket.remoteAddress, socket.remotePort);
    this.#outbox = new Outbox(socket, () => socket.terminate());
    const nonce = randomBytes(16).toString("base64url");
    this.#handshake = new ServerHandshake({ secret: options.secret, role: options.role, nonce });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.keepAliveMs);
    this.#timer = setTimeout(() => {
      const late = `no handshake within ${options.handshakeTimeoutMs} ms`;
      this.refuse(new DsmError("TIMEOUT", late));
    }, options.handshakeTimeoutMs).unref();
  }

  receive(bytes: Buffer): void {
    if (this.#ending) return;
    // Bun may still hand over what it had read before a pause; that waits in the decoder.
    const frames = this.#decoder.push(bytes);
    if (!this.#paused) this.#take(frames);
  }

  drained(): void {
    this.#outbox.drained();
    this.#resume();
  }

  closed(): void {
    clearTimeout(this.#timer);
    this.#ending = true;
    this.#outbox.discard();
    this.#gone.abort();
    this.#closed.resolve();
  }

  /** Answers with the error, then ends: the stream has no meaning any more. */
  refuse(error: DsmError): void {
    if (this.#ending) return;
    this.#sendError(error, 0, 0);
    this.#end();
    this.#options.onFault(error, this.#peer);
  }

  /**
   * Answers what is in flight; whatever is asked from now on gets DRAINING. Resolves when the
   * connection is closed.
   */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#inFlight === 0) this.#end();
    return this.#closed.promise;
  }

  kill(): void {
    this.#socket.terminate();
  }

  #take(frames: Iterable<Frame>): void {
    try {
      for (const frame of frames) {
        if (this.#context === undefined) this.#shakeHands(frame);
        else this.#request(frame, this.#context);
        if (this.#ending) return;
        if (this.#congested(limits.inFlightPerConnectionMax)) {
          this.#paused = true;
          this.#socket.pause();
          return;
        }
      }
    } catch (thrown) {
      this.refuse(DsmError.from(thrown, "reading a frame"));
    }
  }

  #congested(inFlightMax: number): boolean {
    const isFull = () => this.#outbox.queuedBytes >= limits.outboxHighWaterBytes;
    // Only what the socket refused counts: its drain event is what wakes a paused connection.
    if (isFull()) this.#outbox.flush();
    return isFull() || this.#inFlight >= inFlightMax;
  }

  #resume(): void {
    if (!this.#paused || this.#ending || this.#congested(inFlightResume)) return;
    this.#paused = false;
    // First what the decoder still holds; that may fill the connection up again.
    this.#take(this.#decoder.push(nothing));
    if (!this.#paused && !this.#ending) this.#socket.resume();
  }

  #shakeHands(frame: Frame): void {
    const { send, session } = this.#handshake.receive(frame);
    if (send !== undefined) this.#outbox.send(encodeFrame(send));
    if (session === undefined) return;
    clearTimeout(this.#timer);
    this.#context = { session, signal: this.#gone.signal };
    this.#decoder.raiseLimit(limits.frameMaxBytes);
  }

  #request(frame: Frame, context: RpcContext): void {
    if (frame.kind !== "request") {
      throw new DsmError("BAD_FRAME", `expected a request frame and got ${frame.kind}`);
    }
    if (this.#draining) {
      this.#sendError(draining(), frame.type, frame.requestId);
      return;
    }
    try {
      const answer = this.#options.dispatch(frame, context);
      if (isThenable(answer)) this.#answerLater(frame, answer);
      else this.#answer(frame, answer);
    } catch (thrown) {
      this.#fail(frame, thrown);
    }
  }

  #answerLater(frame: Frame, answer: PromiseLike<unknown>): void {
    this.#inFlight++;
    Promise.resolve(answer)
      .then((body) => this.#answer(frame, body))
      .catch((thrown: unknown) => this.#fail(frame, thrown))
      .finally(() => {
        this.#inFlight--;
        this.#resume();
        if (this.#draining && this.#inFlight === 0) this.#end();
      });
  }

  /** @throws DsmError FRAME_TOO_LARGE, TypeError for a body that is no JSON */
  #answer({ type, requestId }: Frame, body: unknown): void {
    this.#outbox.send(encodeFrame({ kind: "response", type, requestId, body }));
  }

  /** What is no DsmError is a fault of ours: the asker learns that, the log learns what. */
  #fail({ type, requestId }: Frame, thrown: unknown): void {
    if (thrown instanceof DsmError) {
      this.#sendError(thrown, type, requestId);
      return;
    }
    this.#sendError(internalError(this.#options.role), type, requestId);
    this.#options.onFault(DsmError.from(thrown, `answering message type ${type}`), this.#peer);
  }

  #sendError(error: DsmError, type: number, requestId: number): void {
    this.#outbox.send(errorBytes(error, type, requestId));
  }

  /** Sends what waits and FIN. The peer closes on that; if it does not, we do. */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#gone.abort();
    clearTimeout(this.#timer);
    // A paused socket would not see the peer's FIN.
    if (this.#paused) this.#socket.resume();
    this.#outbox.finish(() => {
      this.#timer = setTimeout(() => this.#socket.terminate(), limits.lingerMs).unref();
    });
  }
}
