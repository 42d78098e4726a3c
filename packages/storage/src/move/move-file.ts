import type { PutChange } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import type { FileInfo } from "@dsm/protocol";
import type { BlobStore } from "../blob-store.ts";
import { CommitInDoubt } from "../commit-group.ts";
import type { Committer } from "../committer.ts";
import type { IdLease } from "../id-lease.ts";
import type { HealSource } from "../scrub/heal-source.ts";
import type { Pace } from "../scrub/pace.ts";
import { copyFile } from "./copy-file.ts";

export interface MoveFileOptions {
  /** The group that the file comes to. */
  readonly group: string;
  readonly blobs: Pick<BlobStore, "create" | "discard">;
  readonly ids: Pick<IdLease, "next">;
  readonly committer: Pick<Committer, "commit">;
  readonly pace: Pick<Pace, "take">;
  /** Throws where there is no room for so many bytes. */
  readonly admit: (sizeBytes: number) => void;
}

/**
 * Brings one file of another group here: the same bytes in a new blob, committed as an ordinary
 * overwrite of the very version that was copied. So a delete or an overwrite by the user wins, and
 * the old blob comes into the trash of its group, where those who are reading it read on.
 * @returns false when the user was faster
 * @throws DsmError as `copyFile`; STORAGE_FULL, CATALOG_UNAVAILABLE, …
 */
export async function moveFile(
  file: FileInfo,
  sources: readonly HealSource[],
  options: MoveFileOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { group, blobs, ids, committer, pace, admit } = options;
  admit(file.sizeBytes);
  const { damage: _damage, ...sound } = file;
  const moved: FileInfo = { ...sound, group, blobId: await ids.next(), version: file.version + 1 };
  await copyFile(file, moved, { blobs, sources, pace, signal });
  crashPoint("move.copied");
  const change: PutChange = {
    kind: "put",
    file: moved,
    replaces: file.blobId,
    atMs: Date.now(),
  };
  try {
    if ((await committer.commit(change)) === "in force") return true;
  } catch (error) {
    // Whether it is in force the settler finds out; its bytes are needed if it is.
    throw error instanceof CommitInDoubt ? error : await blobs.discard(moved.blobId, error);
  }
  await blobs.discard(moved.blobId, undefined);
  return false;
}
