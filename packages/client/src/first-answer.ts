import type { Alarm, Clock } from "@dsm/clock";
import { DsmError, type StorageAddress } from "@dsm/protocol";

/** One request to one storage. */
export interface Contender {
  readonly storage: StorageAddress;
  /** Resolves with the first byte of the answer. @throws DsmError */
  readonly opened: Promise<void>;
  /** Gives the request up, at once. */
  close(reason: Error): void;
}

export interface RaceOptions<C> {
  /** With no first byte after this long, a second storage is asked as well. */
  readonly hedgeAfterMs: number;
  readonly clock: Clock;
  /** Ends the race; its reason is what the race rejects with. */
  readonly signal: AbortSignal;
  readonly onHedge: (second: StorageAddress) => void;
  readonly onFailed: (failed: C, error: DsmError) => void;
  /** It was asked earlier than the winner, and had not answered when that did. */
  readonly onSlow: (slow: C) => void;
}

/**
 * Asks equal storages, best first, until one answers: the next as soon as one has failed, and one
 * more when the one asked is slow. The first to answer wins, and the others are given up at once.
 * Never more than two are asked at the same time: were all storages slow because there is much to
 * do, asking them all would make it worse.
 * @throws DsmError when all have failed: the first error that another try may mend, else the first
 */
export function firstAnswer<C extends Contender>(
  storages: readonly StorageAddress[],
  ask: (storage: StorageAddress) => C,
  options: RaceOptions<C>,
): Promise<C> {
  return new Race(storages, ask, options).winner;
}

class Race<C extends Contender> {
  readonly #waiting: StorageAddress[];
  readonly #ask: (storage: StorageAddress) => C;
  readonly #options: RaceOptions<C>;
  /** In the order in which they were asked. */
  readonly #running = new Set<C>();
  readonly #errors: DsmError[] = [];
  readonly #outcome = Promise.withResolvers<C>();
  readonly #leave = () => this.#end(this.#options.signal.reason);
  #hedge: Alarm | undefined;
  #isOver = false;

  constructor(
    storages: readonly StorageAddress[],
    ask: (storage: StorageAddress) => C,
    options: RaceOptions<C>,
  ) {
    this.#waiting = [...storages];
    this.#ask = ask;
    this.#options = options;
    const { signal } = options;
    signal.addEventListener("abort", this.#leave, { once: true });
    if (signal.aborted) this.#leave();
    else this.#next();
  }

  get winner(): Promise<C> {
    return this.#outcome.promise;
  }

  #next(): void {
    const storage = this.#waiting.shift();
    if (storage !== undefined) {
      const contender = this.#ask(storage);
      this.#running.add(contender);
      contender.opened.then(
        () => this.#answered(contender),
        (error: unknown) => this.#failed(contender, error),
      );
    }
    if (this.#running.size === 0) this.#end(mostTelling(this.#errors));
    else this.#armHedge();
  }

  #armHedge(): void {
    this.#hedge?.cancel();
    if (this.#running.size > 1 || this.#waiting.length === 0) return;
    const { clock, hedgeAfterMs, onHedge } = this.#options;
    this.#hedge = clock.after(hedgeAfterMs, () => {
      const [second] = this.#waiting;
      if (second !== undefined) onHedge(second);
      this.#next();
    });
  }

  #answered(winner: C): void {
    if (this.#isOver) return;
    this.#finish();
    let isEarlier = true;
    for (const contender of this.#running) {
      if (contender === winner) {
        isEarlier = false;
        continue;
      }
      if (isEarlier) this.#options.onSlow(contender);
      contender.close(new DOMException("another storage answered first", "AbortError"));
    }
    this.#outcome.resolve(winner);
  }

  #failed(contender: C, thrown: unknown): void {
    if (this.#isOver) return;
    const error = DsmError.from(thrown, `asking storage ${contender.storage.storageId}`);
    this.#running.delete(contender);
    this.#errors.push(error);
    this.#options.onFailed(contender, error);
    this.#next();
  }

  #end(error: Error): void {
    this.#finish();
    for (const contender of this.#running) contender.close(error);
    this.#outcome.reject(error);
  }

  #finish(): void {
    this.#isOver = true;
    this.#hedge?.cancel();
    this.#options.signal.removeEventListener("abort", this.#leave);
  }
}

function mostTelling(errors: readonly DsmError[]): DsmError {
  const telling = errors.find(({ retryable }) => retryable) ?? errors[0];
  return telling ?? new DsmError("GROUP_UNAVAILABLE", "no storage was named");
}
