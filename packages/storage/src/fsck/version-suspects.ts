import type { IndexedChange } from "@dsm/journal";
import { byVersion } from "./by-version.ts";
import { versionFaults, versionFaultsNow } from "./file-faults.ts";
import type { FindingKind } from "./finding.ts";
import type { JournalBook } from "./journal-book.ts";
import { lostChanges } from "./lost-changes.ts";
import type { Scope } from "./scope.ts";
import type { Suspect } from "./suspects.ts";

interface Watcher {
  readonly advance: (changes: number) => void;
  /** Told where the catalog seems to have forgotten changes. */
  readonly onLost: () => void;
}

/** What one record or row was lost to, others may have been lost to as well. */
export const findingsOfLoss: ReadonlySet<FindingKind> = new Set([
  "journal-missing",
  "not-journaled",
  "aborted-row",
  "lost-row",
  "lost-delete",
]);

/** Rows and records that do not fit, in the order of files and versions. */
export async function* versionSuspects(
  scope: Scope,
  journal: JournalBook,
  { advance, onLost }: Watcher,
): AsyncGenerator<Suspect | undefined, void, undefined> {
  const lostSuspect = (open: readonly IndexedChange[]): Suspect | undefined => {
    if (open.length === 0 || open.some(({ atMs }) => scope.isYoung(atMs))) return undefined;
    onLost();
    return () => lostChanges(scope, journal, open);
  };
  let hasRows = false;
  // Changes of one file behind the last version of it that the catalog has.
  let open: IndexedChange[] = [];
  for await (const books of byVersion(scope.catalog, journal.byFile())) {
    const isSameFile = open[0]?.user === books.user && open[0].fileId === books.fileId;
    if (!isSameFile) {
      yield lostSuspect(open);
      open = [];
    }
    hasRows ||= books.row?.group === scope.group;
    if (books.row !== undefined) open = [];
    else open.push(...books.changes.filter(({ aborted }) => !aborted));
    advance(books.changes.length);
    const looksWrong = versionFaults(scope, books).length > 0;
    yield looksWrong ? () => versionFaultsNow(scope, journal, books) : undefined;
  }
  yield lostSuspect(open);
  // A catalog that knows nothing of a group proves nothing of it.
  if (!hasRows) journal.noteLoss();
}
