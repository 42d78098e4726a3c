import { DsmError } from "@dsm/protocol";

interface GateLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
  readonly waitTimeoutMs: number;
}

interface Waiter {
  readonly enter: () => void;
  readonly timer: Timer;
}

/**
 * Lets so many statements run at a time. The others wait in line, but not for ever and not in any
 * number; one that gave up is never sent, which the queue of mysql2's pool cannot promise.
 */
export class Gate {
  readonly #limits: GateLimits;
  // A Set keeps the order of arrival and lets go of any member at once.
  readonly #waiting = new Set<Waiter>();
  #running = 0;
  #onIdle = Promise.withResolvers<void>();

  constructor(gateLimits: GateLimits) {
    this.#limits = gateLimits;
  }

  /** @throws DsmError CATALOG_UNAVAILABLE when the line is too long, or was too slow */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Resolves when nothing runs any more; to be called when nobody comes in any more. */
  async idle(): Promise<void> {
    if (this.#running > 0) await this.#onIdle.promise;
  }

  async #enter(): Promise<void> {
    const { runningMax, waitingMax, waitTimeoutMs } = this.#limits;
    if (this.#running < runningMax) {
      this.#running++;
      return;
    }
    if (this.#waiting.size >= waitingMax) throw busy(`${waitingMax} statements wait already`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      enter: resolve,
      timer: setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(busy(`no connection was free for ${waitTimeoutMs} ms`));
      }, waitTimeoutMs),
    };
    this.#waiting.add(waiter);
    await promise;
  }

  /** Hands the place to the next in line, so that nobody can slip in between. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running--;
      if (this.#running > 0) return;
      this.#onIdle.resolve();
      this.#onIdle = Promise.withResolvers<void>();
      return;
    }
    this.#waiting.delete(next);
    clearTimeout(next.timer);
    next.enter();
  }
}

function busy(why: string): DsmError {
  return new DsmError("CATALOG_UNAVAILABLE", `the catalog is too busy: ${why}`, {
    remedy: "try again in a moment",
  });
}
