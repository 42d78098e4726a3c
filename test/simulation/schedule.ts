import { drainMicrotasks } from "bun:jsc";
import { mixed } from "../chaos/random.ts";

interface Planned {
  readonly atMs: number;
  /** Things of the same moment happen in the order in which they were planned. */
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Virtual time: a queue of what is to happen, in order. Nothing else moves the simulation, and
 * between two entries every promise that can go on has gone on, so that a run hangs on its seed
 * alone. It never waits: an hour takes as long as what happens in it.
 */
export class Schedule {
  /** Milliseconds since the simulation began. */
  nowMs = 0;
  /** How many entries have happened. */
  events = 0;
  /** Of all moments so far: two runs that are the same have the same one. */
  fingerprint = 0;
  /** Set to end the run at once. */
  stopped = false;
  #planned = 0;
  /** A binary heap: no entry is later than the two behind it. */
  readonly #heap: Planned[] = [];

  /** @returns what cancels it */
  after(delayMs: number, run: () => void): () => void {
    const entry: Planned = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#planned++, run };
    this.#push(entry);
    return () => (entry.run = undefined);
  }

  /** Lets everything happen that is planned up to then, and what comes of it. */
  runUntil(endMs: number): void {
    drainMicrotasks();
    for (let next = this.#heap[0]; next !== undefined && !this.stopped; next = this.#heap[0]) {
      if (next.atMs > endMs) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.nowMs = next.atMs;
      this.events++;
      this.fingerprint = mixed(this.fingerprint ^ next.order ^ Math.floor(next.atMs * 1_000));
      next.run();
      drainMicrotasks();
    }
    if (!this.stopped) this.nowMs = Math.max(this.nowMs, endMs);
  }

  #push(entry: Planned): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child])) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Planned, b: Planned | undefined): boolean {
  if (b === undefined) return true;
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}
