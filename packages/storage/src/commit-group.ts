import { dirname } from "node:path";
import type { Change, CommitOutcome, VersionRow } from "@dsm/catalog";
import { type CrashPoint, crashPoint } from "@dsm/faults";
import type { JournalRecord } from "@dsm/journal";
import { type BlobId, blobPath, DsmError, limits, piecesPath } from "@dsm/protocol";

/** A change on its way, and who waits for it. */
export interface Waiting {
  readonly change: Change;
  /** By performance.now(). */
  readonly cameAtMs: number;
  /** When the catalog was asked first, by performance.now(); undefined as long as it was not. */
  askedAtMs: number | undefined;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** An abort record on its way into the journal, and what to do once it is durable. */
export interface Abort {
  readonly record: JournalRecord;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** A put names its blob so, a delete its tombstone. */
export function idOf(change: Change): BlobId {
  return change.kind === "put" ? change.file.blobId : change.id;
}

/** What the change makes of its file: which file it is, and the version that it becomes. */
export function placeOf(change: Change): { user: string; fileId: string; version: number } {
  return change.kind === "put" ? change.file : change;
}

/** Whether the row is what the change has put into the catalog. */
export function isRowOf(row: VersionRow, change: Change): boolean {
  const { user, fileId, version } = placeOf(change);
  const isSameFile = row.user === user && row.fileId === fileId;
  return row.id === idOf(change) && isSameFile && row.version === version;
}

export function abortOf(change: Change): JournalRecord {
  return { kind: "abort", id: idOf(change), version: placeOf(change).version, atMs: Date.now() };
}

/** The directories, below the root, in which a group of changes has put new names. */
export function directoriesOf(changes: readonly Change[]): Set<string> {
  const directories = new Set<string>();
  for (const change of changes) {
    if (change.kind !== "put") continue;
    const { blobId, sizeBytes } = change.file;
    directories.add(dirname(blobPath(blobId)));
    if (sizeBytes > limits.pieceBytes) directories.add(dirname(piecesPath(blobId)));
  }
  return directories;
}

/** The crash points of a step of a group: one for each change in it. */
export function passed(
  changes: readonly Change[],
  step: "journaled" | "flushed" | "committed",
): void {
  for (const change of changes) {
    const kind = change.kind === "put" && change.replaces !== undefined ? "overwrite" : change.kind;
    crashPoint(`${kind}.${step}` satisfies CrashPoint);
  }
}

/**
 * The catalog was asked and did not answer: the row may be there or not. The blob must stay, for
 * a row without its bytes would be damage while bytes without a row are only an orphan.
 */
export class CommitInDoubt extends DsmError {
  constructor(cause: DsmError) {
    super("CATALOG_UNAVAILABLE", `the commit got no answer from the catalog: ${cause.message}`, {
      cause,
      remedy: "try again when the catalog is back",
    });
    this.name = "CommitInDoubt";
  }
}
