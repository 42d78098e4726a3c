import { crashPoint } from "@dsm/faults";
import { type BlobId, blobIdFromNumber, blobIdToNumber } from "@dsm/protocol";

export interface LeaseSource {
  lease(count: number): Promise<{ first: BlobId; count: number }>;
}

/** The ids that this storage may use, taken from an ID server a range at a time. */
export class IdLease {
  readonly #source: LeaseSource;
  readonly #leaseIds: number;
  #next = 0;
  #end = 0;
  #renewal: Promise<void> | undefined;

  constructor(source: LeaseSource, leaseIds: number) {
    this.#source = source;
    this.#leaseIds = leaseIds;
  }

  /** @throws DsmError UNREACHABLE when the lease is used up and no ID server answers */
  async next(): Promise<BlobId> {
    while (this.#next >= this.#end) {
      this.#renewal ??= this.#renew().finally(() => (this.#renewal = undefined));
      await this.#renewal;
    }
    return blobIdFromNumber(this.#next++);
  }

  async #renew(): Promise<void> {
    const { first, count } = await this.#source.lease(this.#leaseIds);
    crashPoint("lease.taken");
    this.#next = blobIdToNumber(first);
    this.#end = this.#next + count;
  }
}
