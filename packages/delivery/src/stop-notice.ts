export interface StopNoticeOptions {
  /** How long those who ask have to hear of it; no time unless given. */
  readonly drainDelayMs?: number | undefined;
}

/**
 * A server that is about to close its port says so first, wherever it is asked for its health,
 * and serves on meanwhile: Keepalived and load balancers need a check or two to turn to others.
 */
export class StopNotice {
  readonly #delayMs: number;
  #given: Promise<void> | undefined;

  constructor({ drainDelayMs = 0 }: StopNoticeOptions) {
    this.#delayMs = drainDelayMs;
  }

  get isGiven(): boolean {
    return this.#given !== undefined;
  }

  /** Resolves when the port may close; a second call waits for the same moment. */
  give(): Promise<void> {
    this.#given ??= Bun.sleep(this.#delayMs);
    return this.#given;
  }
}
