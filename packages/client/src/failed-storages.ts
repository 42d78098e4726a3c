import { DsmError, type Location, type StorageAddress } from "@dsm/protocol";
import type { StorageRests } from "./storage-rests.ts";

/**
 * Which storages failed in this one operation: they are asked last when it is tried again. Among
 * those that did not, the ones that failed others lately come last.
 */
export class FailedStorages {
  readonly #rests: StorageRests;
  readonly #failures = new Map<string, number>();

  constructor(rests: StorageRests) {
    this.#rests = rests;
  }

  note(storage: StorageAddress, error: unknown): void {
    this.#failures.set(storage.storageId, this.#countOf(storage) + 1);
    if (error instanceof DsmError) this.#rests.failed(storage, error.code);
  }

  /** The tracker's order, with those that failed least first. */
  order(location: Location): StorageAddress[] {
    return this.#rests
      .order(location.storages)
      .toSorted((a, b) => this.#countOf(a) - this.#countOf(b));
  }

  #countOf(storage: StorageAddress): number {
    return this.#failures.get(storage.storageId) ?? 0;
  }
}
