/**
 * A blob id is a 64-bit number, written everywhere (wire, SQL, file name) as 16 lowercase hex
 * digits, so that no JSON parser rounds it and text order is number order. ID servers count from
 * 1 and never past 2^53: a million ids a second would take 285 years.
 */
export type BlobId = string & { readonly __brand: "BlobId" };

const blobIdPattern = /^[0-9a-f]{16}$/;

export function isBlobId(value: string): value is BlobId {
  return blobIdPattern.test(value);
}

/** @throws RangeError for a number that is no exact positive integer */
export function blobIdFromNumber(n: number): BlobId {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`${n} is not an id`);
  return n.toString(16).padStart(16, "0") as BlobId;
}

export function blobIdToNumber(id: BlobId): number {
  return Number.parseInt(id, 16);
}

/**
 * The path of a blob below the root of its group file system: `blobs/`, three levels, the id.
 * The last two levels and the files in them count to 1,024 each and fill in order, so that
 * directories stay small, and one lease of 1,024 ids is one directory.
 */
export function blobPath(id: BlobId): string {
  const n = BigInt(`0x${id}`);
  const level = (shift: bigint) => ((n >> shift) & 0x3ffn).toString(16).padStart(3, "0");
  const top = (n >> 30n).toString(16).padStart(9, "0");
  return `blobs/${top}/${level(20n)}/${level(10n)}/${id}`;
}

/** The path of the sidecar with the checksums of a blob's pieces; it mirrors the blob's own. */
export function piecesPath(id: BlobId): string {
  return blobPath(id).replace(/^blobs/, "pieces");
}
