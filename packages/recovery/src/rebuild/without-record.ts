import { stat } from "node:fs/promises";
import { join } from "node:path";
import { journalParts, type RecordIndex } from "@dsm/journal";
import { type BlobId, blobPath, limits, systemErrorCode } from "@dsm/protocol";
import type { Steps } from "../progress.ts";
import { blobIds } from "./blob-ids.ts";
import type { Finding } from "./finding.ts";
import type { GroupRoots } from "./read-journals.ts";

/** So many paths of a finding are told; fsck names every blob. */
const pathsTold = 5;
/** Names that are handled before it is asked whether to go on. */
const turnNames = 1_000;

/**
 * Tells of blobs on the disk that no record names: their records are lost, or their uploads were
 * cut off before they had one. An acknowledged file looks the same as the rest of an upload that
 * a crash has ended, so no blob is passed over. What can be told is whether it was written to
 * when the group was last alive: only then may its upload have been under way at the end.
 */
export async function findWithoutRecord(
  roots: GroupRoots,
  index: RecordIndex,
  steps: Steps,
  found: (finding: Finding) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  steps.begin("looking for blobs without a record", 0, "blobs");
  for (const [group, root] of roots) {
    const told = { "no record": new Told(), "cut off or no record": new Told() };
    const underWayFromMs = (await lastWrittenMs(root)) - limits.orphanAgeMs;
    for await (const id of withoutRecord(root, index, steps, signal)) {
      const changedAtMs = await changedMs(join(root, blobPath(id)));
      // Removed meanwhile by a storage that runs: none that was acknowledged is.
      if (changedAtMs === undefined) continue;
      const isPerhapsCutOff = changedAtMs > underWayFromMs;
      told[isPerhapsCutOff ? "cut off or no record" : "no record"].add(id);
    }
    for (const kind of ["no record", "cut off or no record"] as const) {
      const { blobs, paths } = told[kind];
      if (blobs > 0) await found({ kind, group, blobs, paths });
    }
  }
  steps.end();
}

class Told {
  blobs = 0;
  readonly paths: string[] = [];

  add(id: BlobId): void {
    this.blobs++;
    if (this.paths.length < pathsTold) this.paths.push(blobPath(id));
  }
}

/** Both streams come in the order of the ids. */
async function* withoutRecord(
  root: string,
  index: RecordIndex,
  steps: Steps,
  signal: AbortSignal,
): AsyncGenerator<BlobId, void, undefined> {
  const named = index.namedBlobs();
  try {
    let next = named.next();
    let names = 0;
    for await (const id of blobIds(root)) {
      if (++names % turnNames === 0) signal.throwIfAborted();
      steps.advance(1);
      while (next.done !== true && next.value < id) next = named.next();
      if (next.done === true || next.value !== id) yield id;
    }
  } finally {
    named.return();
  }
}

/** When a journal was last written to; now where there is none to tell. */
async function lastWrittenMs(root: string): Promise<number> {
  const parts = await journalParts(root);
  const times = await Promise.all(parts.map(({ path }) => stat(join(root, path))));
  if (times.length === 0) return Date.now();
  return times.reduce((last, { mtimeMs }) => Math.max(last, mtimeMs), 0);
}

async function changedMs(path: string): Promise<number | undefined> {
  try {
    const { mtimeMs, ctimeMs } = await stat(path);
    return Math.max(mtimeMs, ctimeMs);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    // A disk that does not answer tells nothing: the blob is there all the same.
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : 0;
  }
}
