import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "@dsm/journal";
import { blobPath, DsmError, type FileInfo } from "@dsm/protocol";
import { diskError } from "../disk-error.ts";
import { pieceCount, pieceRange, type PieceSums } from "../piece-sums.ts";
import type { Reading } from "./blob-reading.ts";
import type { HealSource } from "./heal-source.ts";
import { scrubFolder } from "./replace-file.ts";

interface HealOptions {
  readonly root: string;
  readonly sources: readonly HealSource[];
  readonly reading: Reading;
}

/**
 * Overwrites bad pieces with bytes that fit their checksums, in place. Whether the blob is whole
 * again is for the caller to see: a read from the disk and the SHA-256 of all of it.
 * @returns how many pieces were written
 * @throws DsmError STORAGE_FAILED where the disk does not take them
 */
export async function healPieces(
  file: FileInfo,
  pieces: readonly number[],
  sums: PieceSums,
  { root, sources, reading }: HealOptions,
): Promise<number> {
  const path = blobPath(file.blobId);
  try {
    await using handle = await open(join(root, path), "r+");
    let written = 0;
    for (const piece of pieces) {
      reading.signal.throwIfAborted();
      const { start, endExclusive } = pieceRange(piece, file.sizeBytes);
      const length = endExclusive - start;
      await reading.pace(length);
      const fits = (bytes: Uint8Array) =>
        bytes.length === length && Bun.hash.crc32(bytes) === sums[piece];
      const bytes = await firstThatFits(sources, { start, endExclusive }, fits);
      if (bytes === undefined) continue;
      await writeAll(handle, bytes, start);
      written++;
    }
    if (written > 0) await handle.datasync();
    return written;
  } catch (cause) {
    throw failure(path, cause, reading);
  }
}

/**
 * Puts a whole blob in the place of a bad one, from a source whose bytes have the SHA-256 of the
 * catalog: for blobs of which nobody knows the bad pieces.
 * @returns whether a source had it
 * @throws DsmError STORAGE_FAILED or STORAGE_FULL where the disk does not take it
 */
export async function healWhole(
  file: FileInfo,
  { root, sources, reading }: HealOptions,
): Promise<boolean> {
  const path = blobPath(file.blobId);
  const draft = join(scrubFolder(root), `heal-${file.blobId}.tmp`);
  try {
    await mkdir(dirname(draft), { recursive: true });
    for (const source of sources) {
      if (!(await copyWhole(file, source, draft, reading))) continue;
      await rename(draft, join(root, path));
      await syncDirectory(dirname(join(root, path)));
      return true;
    }
    return false;
  } catch (cause) {
    throw failure(path, cause, reading);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Whether all of it came, and was what the catalog knows; it is durable then. */
async function copyWhole(
  file: FileInfo,
  source: HealSource,
  draft: string,
  reading: Reading,
): Promise<boolean> {
  await using handle = await open(draft, "w", 0o644);
  const hasher = new Bun.CryptoHasher("sha256");
  for (let piece = 0; piece < pieceCount(file.sizeBytes); piece++) {
    reading.signal.throwIfAborted();
    const { start, endExclusive } = pieceRange(piece, file.sizeBytes);
    await reading.pace(endExclusive - start);
    const bytes = await source.read(start, endExclusive);
    if (bytes?.length !== endExclusive - start) return false;
    hasher.update(bytes);
    await writeAll(handle, bytes, start);
  }
  if (hasher.digest("hex") !== file.sha256) return false;
  await handle.sync();
  return true;
}

async function firstThatFits(
  sources: readonly HealSource[],
  { start, endExclusive }: { start: number; endExclusive: number },
  fits: (bytes: Uint8Array) => boolean,
): Promise<Uint8Array | undefined> {
  for (const source of sources) {
    const bytes = await source.read(start, endExclusive);
    if (bytes !== undefined && fits(bytes)) return bytes;
  }
  return undefined;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, start: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, start + at);
    at += bytesWritten;
  }
}

function failure(path: string, cause: unknown, { signal }: Reading): unknown {
  if (signal.aborted || cause instanceof DsmError) return cause;
  return diskError(`${path} cannot be healed`, cause);
}
