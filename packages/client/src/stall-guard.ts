import type { Alarm, Clock } from "@dsm/clock";
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
  readonly #clock: Clock;
  readonly signal: AbortSignal;
  #alarm: Alarm;

  constructor(what: string, stallMs: number, clock: Clock, outer?: AbortSignal) {
    this.#what = what;
    this.#stallMs = stallMs;
    this.#clock = clock;
    const own = this.#controller.signal;
    this.signal = outer === undefined ? own : AbortSignal.any([own, outer]);
    this.#alarm = this.#arm(stallMs);
  }

  /** @param nextMs how long the next step may take, where that differs */
  touch(nextMs = this.#stallMs): void {
    this.#alarm.cancel();
    this.#alarm = this.#arm(nextMs);
  }

  pause(): void {
    this.#alarm.cancel();
  }

  /** Ends the work now. */
  abort(reason: Error): void {
    this.#alarm.cancel();
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#alarm.cancel();
  }

  #arm(ms: number): Alarm {
    return this.#clock.after(ms, () => {
      const why = `${this.#what} made no progress for ${ms} ms`;
      this.#controller.abort(new DsmError("TIMEOUT", why, { remedy: "look at that storage" }));
    });
  }
}
