import { crashPoint } from "@dsm/faults";
import { type BlobId, blobIdFromNumber, limits } from "@dsm/protocol";

/** Where segments come from: the catalog, which gives every number once. */
export interface SegmentSource {
  leaseSegment(name: string, count: number): Promise<{ first: number; count: number }>;
}

export interface Lease {
  readonly first: BlobId;
  readonly count: number;
}

const segmentName = "blob";

/**
 * Hands out ranges from a segment in memory and takes the next segment when that one is used up.
 * A process that dies loses the rest of its segment: ids may be skipped and are never repeated.
 */
export class SegmentAllocator {
  readonly #source: SegmentSource;
  readonly #segmentIds: number;
  #next = 0;
  #end = 0;
  #refill: Promise<void> | undefined;

  /** @param segmentIds how many ids to take from the catalog at a time */
  constructor(source: SegmentSource, segmentIds: number) {
    this.#source = source;
    this.#segmentIds = segmentIds;
  }

  /** @returns at least one id and at most `count` @throws DsmError CATALOG_UNAVAILABLE */
  async lease(count: number): Promise<Lease> {
    // Another caller may have emptied the new segment before this one goes on.
    while (this.#next >= this.#end) {
      this.#refill ??= this.#takeSegment().finally(() => (this.#refill = undefined));
      await this.#refill;
    }
    const first = this.#next;
    const end = endOfLease(first, Math.min(first + count, this.#end));
    this.#next = end;
    return { first: blobIdFromNumber(first), count: end - first };
  }

  async #takeSegment(): Promise<void> {
    const segment = await this.#source.leaseSegment(segmentName, this.#segmentIds);
    crashPoint("ids.leased");
    this.#next = segment.first;
    this.#end = segment.first + segment.count;
  }
}

/** Ends a lease where a directory of blobs ends, so that two storages seldom share one. */
function endOfLease(first: number, end: number): number {
  const boundary = Math.floor(end / limits.blobsPerDirectoryMax) * limits.blobsPerDirectoryMax;
  return boundary > first ? boundary : end;
}
