import { type BlobId, limits } from "@dsm/protocol";

/** CRC-32 of each piece of a blob in order; the last piece may be shorter than the others. */
export type PieceSums = Uint32Array<ArrayBuffer>;

export function pieceCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / limits.pieceBytes);
}

/** The bytes of one piece of a blob. */
export function pieceRange(piece: number, sizeBytes: number) {
  const start = piece * limits.pieceBytes;
  return { start, endExclusive: Math.min(start + limits.pieceBytes, sizeBytes) };
}

/** Takes the checksums of pieces while the bytes pass by: 4 bytes are kept of each MiB. */
export class PieceSummer {
  #sums: PieceSums = new Uint32Array(16);
  #count = 0;
  #crc = 0;
  #filledBytes = 0;

  update(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      const taken = rest.subarray(0, limits.pieceBytes - this.#filledBytes);
      this.#crc = Bun.hash.crc32(taken, this.#crc);
      this.#filledBytes += taken.length;
      if (this.#filledBytes === limits.pieceBytes) this.#close();
      rest = rest.subarray(taken.length);
    }
  }

  /** The checksums of all that came; to be called once, at the end. */
  finish(): PieceSums {
    if (this.#filledBytes > 0) this.#close();
    return this.#sums.slice(0, this.#count);
  }

  #close(): void {
    if (this.#count === this.#sums.length) {
      const larger = new Uint32Array(2 * this.#count);
      larger.set(this.#sums);
      this.#sums = larger;
    }
    this.#sums[this.#count++] = this.#crc;
    this.#crc = 0;
    this.#filledBytes = 0;
  }
}

/** Whose sums they are: a sidecar in another blob's place is as bad as none. */
export interface SummedBlob {
  readonly blobId: BlobId;
  readonly sizeBytes: number;
}

const magic = Buffer.from("dsm piece sums 1");
/** The blob's id, its size, and the size of a piece, each of 8 bytes. */
const headBytes = magic.length + 24;
const sumBytes = 4;

/** Whether a blob has a sidecar: of one that is a single piece its SHA-256 says as much. */
export function hasSidecar({ sizeBytes }: { sizeBytes: number }): boolean {
  return sizeBytes > limits.pieceBytes;
}

/** The sidecar: the head, the sums, and the CRC-32 of both; all numbers are little-endian. */
export function encodeSidecar({ blobId, sizeBytes }: SummedBlob, sums: PieceSums) {
  const bytes = Buffer.alloc(headBytes + sums.length * sumBytes + sumBytes);
  bytes.set(magic);
  bytes.writeBigUInt64LE(BigInt(`0x${blobId}`), magic.length);
  bytes.writeBigUInt64LE(BigInt(sizeBytes), magic.length + 8);
  bytes.writeBigUInt64LE(BigInt(limits.pieceBytes), magic.length + 16);
  for (const [piece, sum] of sums.entries()) bytes.writeUInt32LE(sum, headBytes + piece * sumBytes);
  const end = bytes.length - sumBytes;
  bytes.writeUInt32LE(Bun.hash.crc32(bytes.subarray(0, end)), end);
  return bytes;
}

/** Undefined for bytes that are not the whole, sound sidecar of this blob. */
export function decodeSidecar(blob: SummedBlob, sidecar: Uint8Array): PieceSums | undefined {
  const bytes = Buffer.from(sidecar.buffer, sidecar.byteOffset, sidecar.length);
  const count = pieceCount(blob.sizeBytes);
  const end = headBytes + count * sumBytes;
  if (bytes.length !== end + sumBytes) return undefined;
  const sums = new Uint32Array(count);
  for (let piece = 0; piece < count; piece++) {
    sums[piece] = bytes.readUInt32LE(headBytes + piece * sumBytes);
  }
  // Whatever differs from what would be written for these sums is no sidecar of this blob.
  return encodeSidecar(blob, sums).equals(bytes) ? sums : undefined;
}
