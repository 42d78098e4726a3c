import { limits } from "@dsm/protocol";

/**
 * Which of several equal servers to ask first: the one that answered last, then the others as
 * they are listed, and at the end those that failed a moment ago, the longest ago first.
 */
export class EndpointOrder {
  readonly #count: number;
  readonly #restMs: number;
  readonly #restUntilMs = new Map<number, number>();
  #preferred = 0;

  constructor(count: number, restMs: number = limits.endpointRestMs) {
    this.#count = count;
    this.#restMs = restMs;
  }

  /**
   * The indexes of all endpoints, best first.
   * @param elsewhere the one that answered last comes behind the others, which take their turns
   */
  at(nowMs: number, elsewhere = false): number[] {
    const preferred = this.#preferred;
    const behind = (index: number) => (index - preferred - 1 + this.#count) % this.#count;
    const rank = (index: number) => {
      const untilMs = this.#restUntilMs.get(index) ?? 0;
      if (untilMs > nowMs) return this.#count + untilMs;
      if (elsewhere) return behind(index);
      return index === preferred ? -1 : 0;
    };
    // The sort is stable, so equal ones stay as they are listed.
    return Array.from({ length: this.#count }, (_, index) => index).toSorted(
      (a, b) => rank(a) - rank(b),
    );
  }

  answered(index: number): void {
    this.#preferred = index;
    this.#restUntilMs.delete(index);
  }

  failed(index: number, nowMs: number): void {
    this.#restUntilMs.set(index, nowMs + this.#restMs);
  }
}
