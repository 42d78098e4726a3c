import type { VersionRow } from "@dsm/catalog";
import type { IndexedChange, JournalRecord } from "@dsm/journal";
import { type BlobId, blobPath } from "@dsm/protocol";
import type { VersionBooks } from "./by-version.ts";
import { lookAt } from "./disk-files.ts";
import type { Facts, Fault, FindingKind } from "./finding.ts";
import type { JournalBook } from "./journal-book.ts";
import { setBlobAside } from "./lost-found.ts";
import { noteOf } from "./orphan.ts";
import type { Scope } from "./scope.ts";

/**
 * What is wrong with a row and the records of its version, as they were read. Rows and records
 * that are young may not have been in the other book when it was read.
 */
export function versionFaults(scope: Scope, books: VersionBooks): Fault[] {
  const { row, changes } = books;
  if (row === undefined || row.group !== scope.group) return [];
  const faults: Fault[] = [];
  if (!scope.isYoung(row.atMs)) faults.push(...rowFaults(scope, row, changes));
  for (const change of changes) {
    if (change.id === row.id || change.aborted || scope.isYoung(change.atMs)) continue;
    faults.push(lostClaim(scope, row, change));
  }
  return faults;
}

function rowFaults(scope: Scope, row: VersionRow, changes: readonly IndexedChange[]): Fault[] {
  const own = changes.filter(({ id }) => id === row.id);
  const [record] = own;
  if (record === undefined) return [notJournaled(scope, row)];
  if (record.aborted) return [fault("aborted-row", row, "an abort names its record")];
  // Of several one will do: what is put back after a while is journaled once more.
  if (own.some((each) => differences(row, each) === "")) return [];
  return [fault("journal-differs", row, differences(row, record))];
}

function notJournaled(scope: Scope, row: VersionRow): Fault {
  const record = recordOf(row);
  const known = fault("not-journaled", row, `no journal has its ${row.deleted ? "delete" : "put"}`);
  if (record === undefined) return known;
  const mend = async () => {
    await scope.journal.append([record]);
    return "its record was written";
  };
  return { ...known, mend };
}

/** Undefined for a tombstone of which the catalog does not know what it ended. */
export function recordOf(row: VersionRow): JournalRecord | undefined {
  const { user, fileId, group, id, version, sizeBytes, sha256, mediaType, atMs, replaces } = row;
  if (row.deleted) {
    if (replaces === undefined) return undefined;
    return { kind: "delete", user, fileId, group, id, version, replaces, atMs };
  }
  const { expiresAtMs, modifiedAtMs = atMs } = row;
  const blob = { blobId: id, version, sizeBytes, sha256, mediaType, modifiedAtMs };
  const file = {
    user,
    fileId,
    group,
    ...blob,
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
  return {
    kind: "put",
    file,
    ...(replaces === undefined ? {} : { replaces }),
    ...(row.modifiedAtMs === undefined ? {} : { atMs }),
  };
}

const compared = [
  "deleted",
  "sizeBytes",
  "sha256",
  "mediaType",
  "atMs",
  "modifiedAtMs",
  "replaces",
  "expiresAtMs",
] as const;

function differences(row: VersionRow, record: IndexedChange): string {
  return compared
    .filter((field) => row[field] !== record[field])
    .map((field) => `${field} is ${row[field]} in the catalog and ${record[field]} in the journal`)
    .join(", ");
}

/** A change that lost its version to the row, and whose storage died before it could close it. */
function lostClaim(scope: Scope, row: VersionRow, change: IndexedChange): Fault {
  const { user, fileId, version, id } = change;
  const detail = `the catalog has blob ${row.id} as this version`;
  const facts = { user, fileId, version, blobId: id, detail };
  return { kind: "unsettled", facts, mend: () => closeRecord(scope, change, detail) };
}

/** Its bytes are kept all the same: after a restore from a backup they were acknowledged once. */
export async function closeRecord(
  scope: Scope,
  change: IndexedChange,
  why: string,
): Promise<string> {
  const { id, version, deleted } = change;
  const aside = deleted ? undefined : await bytesAside(scope, id, { why, ...noteOf(change) });
  await scope.journal.append([{ kind: "abort", id, version, atMs: Date.now() }]);
  return aside === undefined ? "its record was closed" : `its record was closed, and ${aside}`;
}

/** Undefined where there are none, or where they are those of a row: an id may be tried again. */
async function bytesAside(
  { root, catalog }: Scope,
  id: BlobId,
  about: Record<string, unknown>,
): Promise<string | undefined> {
  if ((await catalog.rowsOf([id])).length > 0) return undefined;
  if ((await lookAt(root, id, blobPath(id))) === undefined) return undefined;
  return `its bytes moved to ${await setBlobAside(root, id, about)}`;
}

/** The same by the catalog and the journals as they are now. */
export async function versionFaultsNow(
  scope: Scope,
  journal: JournalBook,
  books: VersionBooks,
): Promise<Fault[]> {
  const rows = books.row === undefined ? [] : await scope.catalog.rowsOf([books.row.id]);
  const row = rows.find(({ user, fileId, version }) => {
    return user === books.user && fileId === books.fileId && version === books.version;
  });
  const changes = books.changes.map(async (change) => {
    // What lost is closed by its own storage when that is about to.
    const isLeft = change.id !== row?.id && (await journal.isBeingSettled(change));
    return { ...change, aborted: isLeft || (await journal.isClosed(change)) };
  });
  return versionFaults(scope, { ...books, row, changes: await Promise.all(changes) });
}

function fault(kind: FindingKind, row: VersionRow, detail: string): Fault {
  const { user, fileId, version, id } = row;
  const facts: Facts = { user, fileId, version, blobId: id, detail };
  return { kind, facts };
}
