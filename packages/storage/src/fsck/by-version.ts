import type { Catalog, VersionKey, VersionRow } from "@dsm/catalog";
import type { IndexedChange } from "@dsm/journal";
import { limits } from "@dsm/protocol";
import { Cursor } from "./cursor.ts";

/** What catalog and journals say of one version of a file. */
export interface VersionBooks extends VersionKey {
  /** Of whatever group. */
  readonly row: VersionRow | undefined;
  /** Puts and deletes that claim this version, aborted ones too. */
  readonly changes: readonly IndexedChange[];
}

/**
 * Puts together what both say of each version, by file and version.
 * @param changes sorted by user and file id, both by bytes, and version
 */
export async function* byVersion(
  catalog: Pick<Catalog, "versions">,
  changes: Iterable<IndexedChange>,
): AsyncGenerator<VersionBooks> {
  await using stack = new AsyncDisposableStack();
  const rows = stack.use(await Cursor.open(allVersions(catalog)));
  const journal = stack.use(await Cursor.open(changes));
  for (;;) {
    const first = least(rows.next, journal.next);
    if (first === undefined) return;
    const { user, fileId, version } = first;
    const row = isAt(rows.next, first) ? await rows.take() : undefined;
    const claims: IndexedChange[] = [];
    while (journal.next !== undefined && isAt(journal.next, first)) {
      claims.push(journal.next);
      await journal.take();
    }
    yield { user, fileId, version, row, changes: claims };
  }
}

function isAt(at: VersionKey | undefined, key: VersionKey): boolean {
  return at !== undefined && compareKeys(at, key) === 0;
}

function least(a: VersionKey | undefined, b: VersionKey | undefined): VersionKey | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareKeys(a, b) <= 0 ? a : b;
}

function compareKeys(a: VersionKey, b: VersionKey): number {
  const byFile = compareBytes(a.user, b.user) || compareBytes(a.fileId, b.fileId);
  return byFile === 0 ? a.version - b.version : byFile;
}

/** JavaScript compares texts by UTF-16, and both sources sort by UTF-8. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function* allVersions(catalog: Pick<Catalog, "versions">): AsyncGenerator<VersionRow> {
  let after: VersionKey | undefined;
  for (;;) {
    const page = await catalog.versions({ limit: limits.listMax, ...(after && { after }) });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < limits.listMax) return;
    after = { user: last.user, fileId: last.fileId, version: last.version };
  }
}
