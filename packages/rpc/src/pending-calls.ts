import { DsmError, type Frame, type MessageName, messages } from "@dsm/protocol";
import { fault } from "./handlers.ts";

interface PendingCall {
  readonly name: MessageName;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface CallOptions {
  /** When the call began, on the clock of `performance.now()`. */
  readonly startMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const requestIdMax = 0xffff_ffff;

/**
 * The calls of one connection that wait for their answers. One timer serves all of them: a timer
 * per call would cost more than the call's own frames.
 */
export class PendingCalls {
  readonly #endpoint: string;
  readonly #onTimeout: () => void;
  readonly #calls = new Map<number, PendingCall>();
  /** Timed out or aborted; the server will answer them all the same. */
  readonly #abandoned = new Map<number, MessageName>();
  #lastId: number;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** @param lastId the id before the first one; tests start near the end of the numbers */
  constructor(endpoint: string, onTimeout: () => void, lastId = 0) {
    this.#endpoint = endpoint;
    this.#onTimeout = onTimeout;
    this.#lastId = lastId;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Calls that nobody waits for any more and that the server still owes an answer. */
  get abandoned(): number {
    return this.#abandoned.size;
  }

  /** The next free id, from 1 to 2^32 - 1: 0 is the handshake's. */
  nextId(): number {
    do {
      this.#lastId = this.#lastId === requestIdMax ? 1 : this.#lastId + 1;
    } while (this.#calls.has(this.#lastId) || this.#abandoned.has(this.#lastId));
    return this.#lastId;
  }

  add(requestId: number, name: MessageName, options: CallOptions): Promise<unknown> {
    const { startMs, timeoutMs, signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deadlineMs = startMs + timeoutMs;
    const call: PendingCall = { name, timeoutMs, deadlineMs, resolve, reject };
    this.#calls.set(requestId, call);
    if (deadlineMs < this.#timerAtMs) this.#arm(deadlineMs);
    if (signal === undefined) return promise;
    const onAbort = () => this.#abandon(requestId, call, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  /**
   * Gives an answer to the call that it is for.
   * @throws DsmError BAD_FRAME when nobody asked for it
   */
  settle(frame: Frame, error: DsmError | undefined): void {
    const { requestId, type } = frame;
    const call = this.#calls.get(requestId);
    const name = call?.name ?? this.#abandoned.get(requestId);
    if (name === undefined || messages[name].type !== type) {
      const what = `an answer of type ${type} to request ${requestId}`;
      throw new DsmError("BAD_FRAME", `${what} came, which nobody asked for`);
    }
    this.#calls.delete(requestId);
    this.#abandoned.delete(requestId);
    if (call === undefined) return;
    if (error !== undefined) return call.reject(error);
    const parsed = messages[name].response.safeParse(frame.body);
    if (parsed.success) return call.resolve(parsed.data);
    const message = `${this.#endpoint} sent a malformed answer to ${name}: ${fault(parsed.error)}`;
    call.reject(new DsmError("BAD_FRAME", message));
  }

  /** The connection is gone, and with it every answer. */
  failAll(errorOf: (name: MessageName) => DsmError): void {
    clearTimeout(this.#timer);
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#abandoned.clear();
    for (const call of calls) call.reject(errorOf(call.name));
  }

  #abandon(requestId: number, call: PendingCall, reason: unknown): void {
    if (this.#calls.get(requestId) !== call) return;
    this.#calls.delete(requestId);
    this.#abandoned.set(requestId, call.name);
    call.reject(reason);
  }

  #arm(deadlineMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = deadlineMs;
    // Rounded up, because a timer that fires a fraction early would find nothing to do.
    const delayMs = Math.max(0, Math.ceil(deadlineMs - performance.now()));
    this.#timer = setTimeout(() => this.#sweep(), delayMs).unref();
  }

  #sweep(): void {
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    let timedOut = false;
    for (const [requestId, call] of this.#calls) {
      if (call.deadlineMs > nowMs) {
        nextMs = Math.min(nextMs, call.deadlineMs);
        continue;
      }
      const message = `${this.#endpoint} did not answer ${call.name} within ${call.timeoutMs} ms`;
      this.#abandon(requestId, call, new DsmError("TIMEOUT", message));
      timedOut = true;
    }
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs);
    if (timedOut) this.#onTimeout();
  }
}
