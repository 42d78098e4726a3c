import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, systemErrorCode } from "@dsm/protocol";
import { type Tree, walkTree } from "./tree-walk.ts";

/** A file of a blob, or of its sidecar, as it was when it was looked at. */
export interface DiskFile {
  readonly id: BlobId;
  /** Relative to the root of the group. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When its bytes or its names changed last, by the clock of the file system. */
  readonly changedAtMs: number;
  /** Why the disk tells nothing of it, as `EIO`; then size and time are 0. */
  readonly failure?: string;
}

/** Files that are asked for at a time: a network file system answers many as fast as one. */
const concurrentStats = 64;

/** The files of a tree that are in their places, in the order of the ids. */
export async function* diskFiles(root: string, tree: Tree): AsyncGenerator<DiskFile> {
  let batch: Array<Promise<DiskFile | undefined>> = [];
  for await (const found of walkTree(root, tree)) {
    if (!("id" in found)) continue;
    batch.push(lookAt(root, found.id, found.path));
    if (batch.length < concurrentStats) continue;
    yield* await present(batch);
    batch = [];
  }
  yield* await present(batch);
}

async function present(batch: ReadonlyArray<Promise<DiskFile | undefined>>): Promise<DiskFile[]> {
  return (await Promise.all(batch)).filter((file) => file !== undefined);
}

/** Undefined where there is no file. */
export async function lookAt(
  root: string,
  id: BlobId,
  path: string,
): Promise<DiskFile | undefined> {
  try {
    const stats = await stat(join(root, path));
    if (!stats.isFile()) return undefined;
    // A blob that was restored from the trash is a new name for old bytes: only ctime tells.
    const changedAtMs = Math.max(stats.mtimeMs, stats.ctimeMs);
    return { id, path, sizeBytes: stats.size, changedAtMs };
  } catch (error) {
    const failure = systemErrorCode(error);
    if (failure === undefined) throw error;
    if (failure === "ENOENT" || failure === "ENOTDIR") return undefined;
    return { id, path, sizeBytes: 0, changedAtMs: 0, failure };
  }
}
