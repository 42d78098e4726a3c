import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { IndexedChange, RecordIndex } from "@dsm/journal";
import { type BlobId, blobPath, systemErrorCode } from "@dsm/protocol";
import type { Steps } from "../progress.ts";
import type { Finding } from "./finding.ts";
import type { GroupRoots } from "./read-journals.ts";

/** Blobs that are asked for at a time: a network file system answers many as fast as one. */
const concurrentStats = 256;

/** Notes in the index which blobs of the journals are on the disk, and their sizes. */
export async function lookAtBlobs(
  roots: GroupRoots,
  index: RecordIndex,
  steps: Steps,
  found: (finding: Finding) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  steps.begin("looking at blobs", index.changes, "records");
  let seq = 0;
  for (const page of index.putsInPages(concurrentStats)) {
    signal.throwIfAborted();
    const sizes = await Promise.all(page.map((change) => sizeOf(roots, change, found)));
    index.noteOnDisk(
      page.flatMap(({ id }, i) => {
        const sizeBytes = sizes[i];
        return sizeBytes === undefined ? [] : [[id, sizeBytes] as const];
      }),
    );
    const last = page.at(-1)?.seq ?? seq;
    steps.advance(last - seq);
    seq = last;
  }
  steps.end();
}

function pathOf(roots: GroupRoots, group: string, id: BlobId): string {
  const root = roots.get(group);
  if (root === undefined) throw new Error(`no root of group ${group}`);
  return join(root, blobPath(id));
}

async function sizeOf(
  roots: GroupRoots,
  { group, id, user, fileId, version, sizeBytes }: IndexedChange,
  found: (finding: Finding) => Promise<void>,
): Promise<number | undefined> {
  try {
    return (await stat(pathOf(roots, group, id))).size;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const reason = code ?? String(error);
    await found({ kind: "unreadable blob", user, fileId, version, blobId: id, reason });
    // Its name is there, so it counts as what it should be: its row must not be lost as well.
    return sizeBytes;
  }
}

/** Which group has the blob on its disk; for the few of which no record is left. */
export function groupWith(roots: GroupRoots, id: BlobId): string | undefined {
  const isThere = (group: string) =>
    statSync(pathOf(roots, group, id), { throwIfNoEntry: false }) !== undefined;
  return [...roots.keys()].find(isThere);
}
