import type { Alarm, Clock } from "@dsm/clock";

interface Ring {
  readonly atMs: number;
  readonly ring: () => void;
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #rings: Ring[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, ring: () => void): Alarm {
    const entry = { atMs: this.#nowMs + delayMs, ring };
    this.#rings.push(entry);
    return { cancel: () => (this.#rings = this.#rings.filter((it) => it !== entry)) };
  }

  /** Goes on without anybody being called. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Goes on from one alarm to the next as long as `work` is not done. @returns what it gives */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => (isDone = true);
    work.then(end, end);
    for (;;) {
      // A turn of the event loop, in which whatever was called does what it does.
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      const next = this.#rings.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) continue;
      this.#rings = this.#rings.filter((it) => it !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.ring();
    }
  }
}
