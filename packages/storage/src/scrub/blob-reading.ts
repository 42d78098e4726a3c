import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { blobPath, DsmError, type FileInfo, limits, systemErrorCode } from "@dsm/protocol";
import { diskError } from "../disk-error.ts";
import { pieceCount, pieceRange, type PieceSums } from "../piece-sums.ts";
import { forgetPages, readNotAhead } from "./page-cache.ts";

/** What the disk gives for a blob, read from its first byte to its last. */
export interface BlobReading {
  readonly sha256: string;
  readonly sums: PieceSums;
  /** Pieces that the disk did not give, in ascending order. */
  readonly unreadable: readonly number[];
}

/** How fast to read, and until when. */
export interface Reading {
  readonly signal: AbortSignal;
  /** Resolves when so many bytes may be read; asked before each piece. */
  readonly pace: (bytes: number) => Promise<void>;
}

/** Errors of a read that say something of these bytes, and not of the whole mount. */
const badBytes = new Set(["EIO", "ENODATA", "EUCLEAN", "EBADMSG", "EILSEQ"]);

/**
 * Reads a blob from the disk, and not from what the kernel remembers, a piece at a time.
 * @returns `missing` where there is none, `wrong size` where the catalog says another one
 * @throws DsmError STORAGE_FAILED where the file system does not answer
 */
export async function readBlob(
  root: string,
  file: FileInfo,
  reading: Reading,
): Promise<BlobReading | "missing" | "wrong size"> {
  const path = blobPath(file.blobId);
  try {
    await using handle = await open(join(root, path), "r");
    const { size } = await handle.stat();
    if (size !== file.sizeBytes) return "wrong size";
    return await readPieces(handle, file, reading);
  } catch (cause) {
    if (reading.signal.aborted) throw reading.signal.reason;
    const code = systemErrorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return "missing";
    throw cause instanceof DsmError ? cause : diskError(`${path} cannot be read`, cause);
  }
}

async function readPieces(
  handle: FileHandle,
  { sizeBytes }: FileInfo,
  { signal, pace }: Reading,
): Promise<BlobReading> {
  const hasher = new Bun.CryptoHasher("sha256");
  const sums = new Uint32Array(pieceCount(sizeBytes));
  const unreadable: number[] = [];
  const buffer = new Uint8Array(Math.min(limits.pieceBytes, sizeBytes));
  readNotAhead(handle.fd);
  for (let piece = 0; piece < sums.length; piece++) {
    signal.throwIfAborted();
    const { start, endExclusive } = pieceRange(piece, sizeBytes);
    await pace(endExclusive - start);
    const bytes = await readPiece(handle, start, buffer.subarray(0, endExclusive - start));
    if (bytes === undefined) {
      unreadable.push(piece);
      continue;
    }
    hasher.update(bytes);
    sums[piece] = Bun.hash.crc32(bytes);
  }
  return { sha256: hasher.digest("hex"), sums, unreadable };
}

/** Fills `bytes` from the disk; undefined where the disk has lost them. */
export async function readPiece(
  handle: FileHandle,
  start: number,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  const endExclusive = start + bytes.length;
  forgetPages(handle.fd, start, endExclusive);
  try {
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
      // Somebody cuts the file while it is read.
      if (bytesRead === 0) return undefined;
      at += bytesRead;
    }
    return bytes;
  } catch (error) {
    if (badBytes.has(systemErrorCode(error) ?? "")) return undefined;
    throw error;
  } finally {
    forgetPages(handle.fd, start, endExclusive);
  }
}
