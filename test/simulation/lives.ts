import type { Random } from "../chaos/random.ts";

/** The lives of all storages in the order in which they really began. */
export class Lives {
  readonly #numbers = new Map<string, number>();
  readonly #latest = new Map<string, string>();
  readonly #disordered = new Set<string>();

  /** As packages/storage makes it: a UUID of version 7, by the host's clock. */
  begin(storageId: string, nowMs: number, random: Random): string {
    const time = nowMs.toString(16).padStart(12, "0");
    const tail = random.next().toString(16).padStart(8, "0");
    const incarnation = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-0000${tail}`;
    this.#numbers.set(incarnation, this.#numbers.size + 1);
    if (incarnation <= (this.#latest.get(storageId) ?? "")) this.#disordered.add(storageId);
    this.#latest.set(storageId, incarnation);
    return incarnation;
  }

  /** Its clock was set back between two of its lives, so that nobody can tell which is later. */
  isDisordered(storageId: string): boolean {
    return this.#disordered.has(storageId);
  }

  /** @throws TypeError for one that never began */
  numberOf(incarnation: string): number {
    const number = this.#numbers.get(incarnation);
    if (number === undefined) throw new TypeError(`no life is called ${incarnation}`);
    return number;
  }
}
