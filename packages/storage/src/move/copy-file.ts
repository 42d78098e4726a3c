import type { FileInfo } from "@dsm/protocol";
import { DsmError, limits } from "@dsm/protocol";
import type { BlobStore } from "../blob-store.ts";
import { encodeSidecar, hasSidecar } from "../piece-sums.ts";
import { receive } from "../receive.ts";
import type { HealSource } from "../scrub/heal-source.ts";
import type { Pace } from "../scrub/pace.ts";

interface CopyOptions {
  readonly blobs: Pick<BlobStore, "create" | "discard">;
  readonly sources: readonly HealSource[];
  readonly pace: Pick<Pace, "take">;
  readonly signal: AbortSignal;
}

/**
 * Copies the bytes of a file into a new blob of this group. What one storage of the other group
 * gives is hashed; where it is not what the catalog says, the next one is asked for all of it, for
 * its bytes may come from another brick.
 * @throws DsmError DATA_CORRUPT when nobody has the right bytes, GROUP_UNAVAILABLE when nobody
 * gives any; the signal's reason. Nothing of the blob is left then.
 */
export async function copyFile(file: FileInfo, to: FileInfo, options: CopyOptions): Promise<void> {
  const { sources } = options;
  if (sources.length === 0) throw noSource(file);
  // The first try may fall back on others in the middle; a mixture that is wrong proves nothing.
  const alone = sources.length === 1 ? [] : sources.map((source) => [source]);
  for (const some of [sources, ...alone]) {
    if ((await copyOnce(file, to, { ...options, sources: some })) === file.sha256) return;
  }
  throw new DsmError("DATA_CORRUPT", `${nameOf(file)} is damaged in group ${file.group}`, {
    remedy: "see dsm scrub; upload it again, or delete it, and the move ends",
  });
}

/** @returns the SHA-256 of what was copied; nothing is left of it unless it is the right one */
async function copyOnce(file: FileInfo, to: FileInfo, options: CopyOptions): Promise<string> {
  const { blobs, signal } = options;
  const { blobId, sizeBytes } = to;
  const writer = await blobs.create(blobId);
  try {
    const { sums, sha256 } = await receive(windows(file, options), writer, sizeBytes);
    signal.throwIfAborted();
    if (sha256 === file.sha256) {
      await writer.finish(hasSidecar(to) ? encodeSidecar(to, sums) : undefined);
      return sha256;
    }
    await writer.close();
    await blobs.discard(blobId, undefined);
    return sha256;
  } catch (error) {
    await writer.close();
    const cause = error instanceof DsmError && error.code === "UPLOAD_INCOMPLETE" && error.cause;
    throw await blobs.discard(blobId, cause === false ? error : cause);
  }
}

async function* windows(
  file: FileInfo,
  { sources, pace, signal }: CopyOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  // An empty file, too, has its turn.
  if (file.sizeBytes === 0) await pace.take(0, signal);
  for (let start = 0; start < file.sizeBytes; start += limits.moveWindowBytes) {
    const end = Math.min(start + limits.moveWindowBytes, file.sizeBytes);
    await pace.take(end - start, signal);
    yield await firstOf(file, sources, start, end);
    signal.throwIfAborted();
  }
}

async function firstOf(
  file: FileInfo,
  sources: readonly HealSource[],
  start: number,
  end: number,
): Promise<Uint8Array> {
  for (const source of sources) {
    const bytes = await source.read(start, end);
    if (bytes?.length === end - start) return bytes;
  }
  throw noSource(file);
}

function noSource(file: FileInfo): DsmError {
  return new DsmError(
    "GROUP_UNAVAILABLE",
    `no storage of group ${file.group} gives ${nameOf(file)}`,
    {
      remedy: `start a storage of group ${file.group}, and see dsm status`,
    },
  );
}

function nameOf({ user, fileId }: FileInfo): string {
  return `${user}/${JSON.stringify(fileId)}`;
}
