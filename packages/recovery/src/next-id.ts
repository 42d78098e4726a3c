import { type BlobId, blobIdToNumber, DsmError } from "@dsm/protocol";

/**
 * So many ids are passed over when the counter of ids starts anew. Ids that were leased and not
 * used when the catalog was lost stand in no journal: what an ID server holds (65,536 unless
 * configured), what each storage leased of it (1,024), and the rest of a segment for each restart
 * in between. 2^24 are 256 whole segments, and one part in 500 million of all ids. Should somebody
 * hold a lease beyond them still, nothing is overwritten: blobs are created exclusively, and an id
 * is unique in the catalog.
 */
const skippedIds = 2 ** 24;

/** How many ids a counter is moved on that may lag behind what was leased. */
export function passedOver(next: number): number {
  return next + skippedIds;
}

/**
 * The first id to lease after these have been used.
 * @throws DsmError DATA_CORRUPT for ids that no ID server has given out
 */
export function nextIdAfter(used: Iterable<BlobId | undefined>): number {
  let largest = 0;
  for (const id of used) {
    if (id === undefined) continue;
    const number = blobIdToNumber(id);
    if (!Number.isSafeInteger(number + skippedIds)) {
      throw new DsmError("DATA_CORRUPT", `the id ${id} is larger than any that was given out`, {
        remedy: "move the blob or the journal with that id out of the group's folder",
      });
    }
    largest = Math.max(largest, number);
  }
  return largest + 1 + skippedIds;
}
