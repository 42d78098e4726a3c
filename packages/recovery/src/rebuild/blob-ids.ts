import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, blobPath, isBlobId, systemErrorCode } from "@dsm/protocol";

const levels = 3;

/** The ids of all blobs in their places below a root, in order: directories fill in that order. */
export async function* blobIds(root: string): AsyncGenerator<BlobId, void, undefined> {
  yield* idsBelow(root, "blobs", levels);
}

async function* idsBelow(root: string, folder: string, depth: number): AsyncGenerator<BlobId> {
  for (const name of (await namesIn(join(root, folder))).toSorted()) {
    const path = `${folder}/${name}`;
    if (depth > 0) yield* idsBelow(root, path, depth - 1);
    else if (isBlobId(name) && blobPath(name) === path) yield name;
  }
}

/** The largest id of a blob below a root: directories fill in order, so the last one has it. */
export async function largestBlobId(root: string): Promise<BlobId | undefined> {
  return largestBelow(join(root, "blobs"), levels);
}

async function largestBelow(folder: string, depth: number): Promise<BlobId | undefined> {
  const names = (await namesIn(folder)).toSorted().toReversed();
  if (depth === 0) return names.find<BlobId>((name): name is BlobId => isBlobId(name));
  for (const name of names) {
    const largest = await largestBelow(join(folder, name), depth - 1);
    if (largest !== undefined) return largest;
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
