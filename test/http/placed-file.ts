import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Cluster } from "@dsm/cluster";
import { blobIdFromNumber, blobPath, DsmError, type FileInfo } from "@dsm/protocol";

/** What a test wants to know beforehand of a file: all that an upload would decide by itself. */
export interface Placing {
  readonly fileId: string;
  readonly content: Content;
  readonly modifiedAtMs: number;
  /** Of a file with more than one, an overwrite has a place in the past. */
  readonly version?: number;
  readonly mediaType?: string;
}

/** Bytes that can be computed anywhere, so that a file of 4 GiB is made and checked in no time. */
export interface Content {
  readonly sizeBytes: number;
  /** 64 hex digits. Of a sparse file it is made up: nobody could wait for the true one. */
  readonly sha256: string;
  writeTo(path: string): Promise<void>;
  /** The bytes from `start` to before `endExclusive`. */
  slice(start: number, endExclusive: number): Buffer;
}

export const placedUser = "reader";

// Far above what the id servers of a test ever hand out.
let lastId = 2 ** 40;

/** Puts a file into the first group of a cluster: blob on disk, then the row, as uploads do. */
export async function placeFile(cluster: Cluster, placing: Placing): Promise<FileInfo> {
  const { fileId, content, modifiedAtMs, version: versions = 1 } = placing;
  const { catalog } = cluster;
  const group = await catalog.assignGroup(placedUser, "g1", Date.now());
  let before: FileInfo | undefined;
  for (let version = 1; version <= versions; version++) {
    lastId += 1;
    const file: FileInfo = {
      user: placedUser,
      fileId,
      group,
      blobId: blobIdFromNumber(lastId),
      version,
      sizeBytes: content.sizeBytes,
      sha256: content.sha256,
      mediaType: placing.mediaType ?? "application/octet-stream",
      modifiedAtMs,
    };
    const path = join(cluster.groupRoot(group), blobPath(file.blobId));
    await mkdir(dirname(path), { recursive: true });
    await content.writeTo(path);
    const replaces = before === undefined ? {} : { replaces: before.blobId };
    const [outcome] = await catalog.commit([{ kind: "put", file, ...replaces }]);
    if (outcome !== "in force") throw new DsmError("CONFLICT", `${fileId} is there already`);
    before = file;
  }
  if (before === undefined) throw new RangeError(`${versions} versions`);
  return before;
}

/** Bytes without a pattern, the same ones for the same size and seed. */
export function noise(sizeBytes: number, seed = 1): Content {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at++) {
    // Numerical Recipes' generator; its upper bits are good.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return exactly(bytes);
}

export function exactly(bytes: Buffer): Content {
  return {
    sizeBytes: bytes.length,
    sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
    writeTo: async (path) => void (await Bun.write(path, bytes)),
    slice: (start, endExclusive) => bytes.subarray(start, endExclusive),
  };
}

/** Zeros, but for `markBytes` bytes around each of the offsets, which tell where they stand. */
export function sparse(sizeBytes: number, around: readonly number[], markBytes = 64): Content {
  const half = markBytes / 2;
  const slice = (start: number, endExclusive: number) => {
    const bytes = Buffer.alloc(Math.max(0, Math.min(endExclusive, sizeBytes) - start));
    for (const offset of around) {
      const from = Math.max(start, offset - half);
      const to = Math.min(start + bytes.length, offset + half);
      for (let at = from; at < to; at++) bytes[at - start] = markAt(at);
    }
    return bytes;
  };
  return {
    sizeBytes,
    sha256: new Bun.CryptoHasher("sha256").update(`sparse ${sizeBytes}`).digest("hex"),
    slice,
    async writeTo(path) {
      const file = await open(path, "w");
      try {
        await file.truncate(sizeBytes);
        for (const offset of around) {
          const from = Math.max(0, offset - half);
          const mark = slice(from, offset + half);
          await file.write(mark, 0, mark.length, from);
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** Never 0, and other for offsets that are near, or a power of two away. */
function markAt(offset: number): number {
  return 1 + (((offset % 251) + Math.floor(offset / 65_536) * 7) % 255);
}
