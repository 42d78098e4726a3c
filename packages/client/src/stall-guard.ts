import { DsmError } from "@dsm/protocol";

/**
 * Aborts work that makes no progress: `touch` at every step forward, and the signal fires when
 * none came for `stallMs`; `pause` while it is the caller who takes time. It also fires with the
 * caller's own signal.
 */
export class StallGuard implements Disposable {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  readonly #what: string;
  readonly signal: AbortSignal;
  #timer: Timer;

  constructor(what: string, stallMs: number, outer?: AbortSignal) {
    this.#what = what;
    this.#stallMs = stallMs;
    const own = this.#controller.signal;
    this.signal = outer === undefined ? own : AbortSignal.any([own, outer]);
    this.#timer = this.#arm(stallMs);
  }

  /** @param nextMs how long the next step may take, where that differs */
  touch(nextMs = this.#stallMs): void {
    clearTimeout(this.#timer);
    this.#timer = this.#arm(nextMs);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Ends the work now. */
  abort(reason: Error): void {
    clearTimeout(this.#timer);
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number): Timer {
    const timer = setTimeout(() => {
      const why = `${this.#what} made no progress for ${ms} ms`;
      this.#controller.abort(new DsmError("TIMEOUT", why, { remedy: "look at that storage" }));
    }, ms);
    return timer;
  }
}
