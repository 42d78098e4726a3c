import type { VersionRow } from "@dsm/catalog";
import type { IndexedChange } from "@dsm/journal";
import type { BlobId } from "@dsm/protocol";
import { decide } from "./decide.ts";
import type { Finding } from "./finding.ts";
import { rowOfChange } from "./row-of-change.ts";
import type { FileChanges } from "./version-sets.ts";

export type Rebuilt =
  | { readonly row: VersionRow; /** Readers can reach its bytes. */ readonly isLive: boolean }
  | { readonly finding: Finding };

export interface Evidence {
  /** For how long its storage went on writing behind this change, in the same life. */
  wentOnMs(change: IndexedChange): number;
  /** The group on whose disk the blob is; for those of which no record is left. */
  groupWith(id: BlobId): string | undefined;
}

/**
 * The rows that commits and the reaper have left of one file, oldest first. The newest version
 * stays for ever. An older one stays until its blob was unlinked, and so do all that stand
 * between it and the newest, for each carries the mark of the one before: queries/trash.ts of
 * the catalog is the other half of this.
 */
export function* rowsOfFile(
  { user, fileId, sets }: FileChanges,
  evidence: Evidence,
): Generator<Rebuilt, void, undefined> {
  const name = { user, fileId };
  let before: Before | undefined;
  let expected = 1;
  let hasGap = false;
  for (const decided of decide(sets, evidence.wentOnMs)) {
    const { version, change, isLost, successor, isNewest, isGuess } = decided;
    if (!hasGap && (version !== expected || isLost)) {
      hasGap = true;
      yield { finding: { kind: "lost record", ...name, version: expected } };
    }
    expected = version + 1;
    if (change === undefined) {
      before = undefined;
      continue;
    }
    const blobId = change.id;
    if (isGuess) yield { finding: { kind: "two claims", ...name, version, blobId } };
    if (isNewest) yield* faultsOfBlob(change);
    const trashGroup = trashGroupOf(change, before, evidence);
    const isMarked = trashGroup !== undefined;
    const isTrashed = !change.deleted && successor !== undefined;
    const isKept =
      isNewest || (change.deleted ? isMarked : isTrashed && (isOnDisk(change) || isMarked));
    if (isKept) yield { row: rowOfChange(change, trashGroup), isLive: isNewest && !change.deleted };
    else if (!change.deleted && isOnDisk(change)) {
      yield { finding: { kind: "left to fsck", ...name, version, blobId } };
    }
    before = { change, isKept };
  }
}

interface Before {
  readonly change: IndexedChange;
  readonly isKept: boolean;
}

const isOnDisk = (change: IndexedChange) => change.diskBytes !== undefined;

/** In whose trash the blob that a version has replaced still waits, if it does. */
function trashGroupOf(
  { replaces }: IndexedChange,
  before: Before | undefined,
  evidence: Evidence,
): string | undefined {
  if (replaces === undefined) return undefined;
  if (before?.change.id !== replaces) return evidence.groupWith(replaces);
  return before.isKept || isOnDisk(before.change) ? before.change.group : undefined;
}

/** A row whose bytes are missing is restored all the same: the damage is told, never hidden. */
function* faultsOfBlob(change: IndexedChange): Generator<Rebuilt, void, undefined> {
  const { user, fileId, version, id: blobId, deleted, sizeBytes, diskBytes } = change;
  if (deleted || diskBytes === sizeBytes) return;
  const where = { user, fileId, version, blobId };
  if (diskBytes === undefined) yield { finding: { kind: "missing blob", ...where } };
  else yield { finding: { kind: "wrong size", ...where, sizeBytes, diskBytes } };
}
