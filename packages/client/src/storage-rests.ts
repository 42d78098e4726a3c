import { type ErrorCode, limits, type StorageAddress } from "@dsm/protocol";

interface Rest {
  /** Failures without an answer between them. */
  readonly count: number;
  readonly untilMs: number;
}

/** Errors that say something of the storage, and nothing of the request. */
const faults: ReadonlySet<ErrorCode> = new Set([
  "UNREACHABLE",
  "TIMEOUT",
  "STORAGE_FAILED",
  "DRAINING",
  "OVERLOADED",
]);

/**
 * Which storages failed or stalled lately, as one client knows it: they rest, and are asked last,
 * so that one that hangs does not cost every request the wait for it. Each failure after a rest
 * doubles the next one, up to `limits.storageRestMaxMs`.
 */
export class StorageRests {
  readonly #rests = new Map<string, Rest>();
  readonly #now: () => number;

  /** @param now milliseconds that never go back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** It was too slow, or it failed with an error that blames it. */
  failed({ storageId }: StorageAddress, code: ErrorCode): void {
    if (!faults.has(code) || this.#restUntilMs(storageId) > 0) return;
    const count = (this.#rests.get(storageId)?.count ?? 0) + 1;
    const restMs = Math.min(limits.endpointRestMs * 2 ** (count - 1), limits.storageRestMaxMs);
    this.#rests.delete(storageId);
    this.#rests.set(storageId, { count, untilMs: this.#now() + restMs });
    if (this.#rests.size > limits.storagesRememberedMax) this.#forgetOldest();
  }

  answered({ storageId }: StorageAddress): void {
    this.#rests.delete(storageId);
  }

  /**
   * The preferred one, then the others in the order given, and at the end those that rest, first
   * the one whose rest is over first.
   */
  order(storages: readonly StorageAddress[], preferredId?: string): StorageAddress[] {
    const rank = ({ storageId }: StorageAddress) =>
      this.#restUntilMs(storageId) || (storageId === preferredId ? -1 : 0);
    return storages.toSorted((a, b) => rank(a) - rank(b));
  }

  #restUntilMs(storageId: string): number {
    const untilMs = this.#rests.get(storageId)?.untilMs ?? 0;
    return untilMs > this.#now() ? untilMs : 0;
  }

  #forgetOldest(): void {
    const oldest = this.#rests.keys().next();
    if (oldest.done !== true) this.#rests.delete(oldest.value);
  }
}
