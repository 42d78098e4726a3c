import type { IdHistory, IndexedChange } from "@dsm/journal";
import { type BlobId, blobIdToNumber } from "@dsm/protocol";
import type { DiskFile } from "./disk-files.ts";
import type { Fault } from "./finding.ts";
import type { JournalBook } from "./journal-book.ts";
import { setBlobAside } from "./lost-found.ts";
import type { Scope } from "./scope.ts";

/**
 * A blob without a row. It is garbage when that is proven, and by nothing less: no record of any
 * journal is known to be missing, and of each put that names it either an abort stands or the
 * catalog has come past the very change that put it out of use. Where no put names it, the catalog
 * has to be older than its id.
 */
export async function orphanFaults(
  scope: Scope,
  journal: JournalBook,
  blob: DiskFile,
  history: IdHistory | undefined,
): Promise<Fault[]> {
  const { id, path, sizeBytes, changedAtMs, failure } = blob;
  if (failure === undefined && scope.isYoung(changedAtMs)) return [];
  const puts = (history?.changes ?? []).filter(({ deleted }) => !deleted);
  const standing = puts.filter(({ aborted }) => !aborted);
  for (const put of standing) {
    if (await isToldByFile(scope, put)) return [];
  }
  const named = puts.at(-1);
  const verdict = await verdictOf(scope, journal, id, puts, standing);
  const facts = {
    ...(named === undefined ? {} : { user: named.user, fileId: named.fileId }),
    blobId: id,
    path,
    detail: `${failure ?? `${sizeBytes} bytes`} without a row; ${verdict.why}`,
  };
  const about = { why: verdict.why, claimedBy: standing.map(noteOf) };
  const mend = async () => {
    if (!verdict.isGarbage) return `moved to ${await setBlobAside(scope.root, id, about)}`;
    await scope.blobs.remove(id);
    return "removed";
  };
  return [{ kind: "orphan", facts, isGarbage: verdict.isGarbage, mend }];
}

/**
 * Its record is open: the catalog has no version of that number yet, or has another blob in its
 * place. Then it is the file that is told of, as lost-row or unsettled.
 */
async function isToldByFile({ catalog }: Scope, put: IndexedChange): Promise<boolean> {
  const { user, fileId, version } = put;
  const current = await catalog.current(user, fileId);
  if ((current?.version ?? 0) < version) return true;
  const [row] = await catalog.versions({ after: { user, fileId, version: version - 1 }, limit: 1 });
  return row?.user === user && row.fileId === fileId && row.version === version;
}

interface Verdict {
  readonly isGarbage: boolean;
  readonly why: string;
}

async function verdictOf(
  scope: Scope,
  journal: JournalBook,
  id: BlobId,
  puts: readonly IndexedChange[],
  standing: readonly IndexedChange[],
): Promise<Verdict> {
  if (!journal.isWhole) return { isGarbage: false, why: "the journals are not whole" };
  if (puts.length === 0) return unrecordedVerdict(scope, id);
  if (standing.length === 0) return { isGarbage: true, why: "its upload was aborted" };
  for (const put of standing) {
    if (!(await isReplaced(scope, journal, put))) {
      return { isGarbage: false, why: `nobody knows what became of version ${put.version}` };
    }
  }
  return { isGarbage: true, why: "a later version replaced it, and it was due to go" };
}

/**
 * A catalog that has been there since the id was leased would have a row, had the upload been
 * acknowledged. One that a rebuild or a restore has filled has only what records or a backup
 * told, and of what no record names nobody knows whether it was acknowledged.
 */
async function unrecordedVerdict({ catalog }: Scope, id: BlobId): Promise<Verdict> {
  const firstId = await catalog.firstIdSinceLoad();
  if (firstId !== undefined && blobIdToNumber(id) < firstId) {
    return { isGarbage: false, why: "no record names it, and the catalog was made anew since" };
  }
  return { isGarbage: true, why: "no upload of it was ever finished" };
}

/** The change that put it out of use stands, and the catalog has it, or had it and went on. */
async function isReplaced(
  { catalog }: Scope,
  journal: JournalBook,
  { id, user, fileId, version }: IndexedChange,
): Promise<boolean> {
  const current = await catalog.current(user, fileId);
  return journal
    .replacing(id)
    .some(
      (change) =>
        !change.aborted &&
        change.user === user &&
        change.fileId === fileId &&
        change.version === version + 1 &&
        change.version <= (current?.version ?? 0),
    );
}

export function noteOf({ user, fileId, version, sizeBytes, sha256, atMs }: IndexedChange) {
  return { user, fileId, version, sizeBytes, sha256, atMs };
}
