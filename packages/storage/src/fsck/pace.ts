/** Lets so many bytes pass in a second, so that who reads for upkeep leaves the disk to readers. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #signal: AbortSignal;
  #freeAtMs = 0;
  #passedBytes = 0;

  /** @param bytesPerSecond 0 for no limit */
  constructor(bytesPerSecond: number, signal: AbortSignal) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#signal = signal;
  }

  /** All that was let pass. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Resolves when so many bytes may be read. @throws the signal's reason */
  async take(bytes: number): Promise<void> {
    this.#signal.throwIfAborted();
    this.#passedBytes += bytes;
    if (this.#bytesPerSecond === 0) return;
    const nowMs = performance.now();
    const waitMs = this.#freeAtMs - nowMs;
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (bytes / this.#bytesPerSecond) * 1_000;
    if (waitMs > 0) await pause(waitMs, this.#signal);
  }
}

/** @throws the signal's reason when it is aborted */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
}
