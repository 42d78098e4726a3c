import type { Location, StorageAddress } from "@dsm/protocol";

/** Which storages failed in this one operation: they are asked last when it is tried again. */
export class FailedStorages {
  readonly #failures = new Map<string, number>();

  note(storage: StorageAddress): void {
    this.#failures.set(storage.storageId, this.#countOf(storage) + 1);
  }

  /** The tracker's order, with those that failed least first. */
  order(location: Location): StorageAddress[] {
    return location.storages.toSorted((a, b) => this.#countOf(a) - this.#countOf(b));
  }

  #countOf(storage: StorageAddress): number {
    return this.#failures.get(storage.storageId) ?? 0;
  }
}
