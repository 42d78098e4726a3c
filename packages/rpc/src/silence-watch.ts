import { limits } from "@dsm/protocol";

interface SilenceWatchOptions {
  /** Whether an answer is still to come. */
  readonly owes: () => boolean;
  /** Asks for a sign of life; rejects when none came in time. */
  readonly ping: (timeoutMs: number) => Promise<unknown>;
  /** Told once. */
  readonly onDead: () => void;
}

/**
 * Tells a server that is slow from one that is gone without a word: its host has died, its cable
 * is cut, or the process hangs. One that owes answers and says nothing is asked for a sign of
 * life, which the slowest server gives at once, since it costs it nothing. So calls need not wait
 * out their whole time, and another server can be asked.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #heardAtMs = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** When something was heard last, on the clock of `performance.now()`. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  heard(): void {
    this.#heardAtMs = performance.now();
  }

  /** A call was sent. One timer serves all of them. */
  asked(): void {
    if (this.#timer !== undefined || this.#isOver) return;
    this.#look(performance.now(), limits.silenceProbeMs);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(sinceMs: number, delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isOver || !this.#options.owes()) return;
      const quietMs = performance.now() - Math.max(this.#heardAtMs, sinceMs);
      const leftMs = limits.silenceProbeMs - quietMs;
      if (leftMs > 1) this.#look(sinceMs, leftMs);
      else void this.#probe();
    }, delayMs).unref();
  }

  async #probe(): Promise<void> {
    const askedAtMs = performance.now();
    try {
      await this.#options.ping(limits.silenceProbeMs);
    } catch {
      // Whatever came meanwhile is a sign of life as well, an error too.
      if (this.#isOver) return;
      if (this.#heardAtMs < askedAtMs) return this.#options.onDead();
    }
    this.asked();
  }
}
