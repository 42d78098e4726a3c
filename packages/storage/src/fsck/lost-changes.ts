import type { CurrentVersion, VersionRow } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import type { IndexedChange } from "@dsm/journal";
import { blobPath } from "@dsm/protocol";
import { decide, rowOfChange, type VersionSet } from "@dsm/recovery";
import { bytesFit } from "./bytes.ts";
import { lookAt } from "./disk-files.ts";
import type { Fault } from "./finding.ts";
import { closeRecord, recordOf } from "./file-faults.ts";
import type { JournalBook } from "./journal-book.ts";
import type { Scope } from "./scope.ts";

/**
 * Changes of one file that stand in the journals with a later version than the catalog has: a
 * crash left them open, or the catalog has forgotten them, as one from a backup has.
 */
export async function lostChanges(
  scope: Scope,
  journal: JournalBook,
  changes: readonly IndexedChange[],
): Promise<Fault[]> {
  const found = await new LostChanges(scope, journal).newest(changes);
  if (found === undefined) return [];
  const { top, isCertain } = found;
  const { user, fileId, version, id, deleted } = top;
  const lost = deleted ? "lost-delete" : "lost-row";
  const has = found.current === undefined ? "nothing" : `version ${found.current.version}`;
  const what = deleted ? "a delete" : `${top.sizeBytes} bytes`;
  const detail = `the journals end with ${what}, and the catalog with ${has}`;
  return [
    {
      kind: isCertain ? lost : "unsettled",
      facts: { user, fileId, version, ...(deleted ? {} : { blobId: id }), detail },
      mend: () => new LostChanges(scope, journal).mend(changes),
    },
  ];
}

interface Newest {
  readonly current: CurrentVersion | undefined;
  /** What stands of the changes, and is not in the catalog. */
  readonly open: readonly IndexedChange[];
  /** One for each version, as far as it can be told, up to the newest. */
  readonly chain: readonly IndexedChange[];
  readonly top: IndexedChange;
  readonly isCertain: boolean;
}

class LostChanges {
  readonly #scope: Scope;
  readonly #journal: JournalBook;

  constructor(scope: Scope, journal: JournalBook) {
    this.#scope = scope;
    this.#journal = journal;
  }

  /** By the catalog and the disk as they are now; undefined when nothing is lost. */
  async newest(changes: readonly IndexedChange[]): Promise<Newest | undefined> {
    const [first] = changes;
    if (first === undefined) return undefined;
    const current = await this.#scope.catalog.current(first.user, first.fileId);
    const open: IndexedChange[] = [];
    for (const change of changes) {
      if (change.version <= (current?.version ?? 0)) continue;
      if (!(await this.#journal.isClosed(change))) open.push(await this.#withDisk(change));
    }
    const wentOnMs = (change: IndexedChange) => this.#journal.wentOnMs(change);
    const chain = [...decide(setsOf(open), wentOnMs)].flatMap(({ change }) => change ?? []);
    const top = chain.at(-1);
    if (top === undefined) return undefined;
    if (!this.#journal.isCertain(top)) {
      if (await this.#journal.isBeingSettled(top)) return undefined;
      // It may just have been: then what it was settled to counts.
      if (await this.#journal.isClosed(top)) return this.newest(changes);
    }
    return { current, open, chain, top, isCertain: this.#journal.isCertain(top) };
  }

  /**
   * Puts back a delete, and an upload that is whole: it was acknowledged, or may be in force as
   * well as not. An upload in doubt that is not whole is closed, and then the version before it is
   * the newest.
   */
  async mend(changes: readonly IndexedChange[]): Promise<string | undefined> {
    let left = changes;
    let done: string | undefined;
    for (;;) {
      const found = await this.newest(left);
      if (found === undefined) return done;
      const { top, isCertain } = found;
      if (top.deleted || (await this.#isWhole(top))) return this.#putBack(found);
      // Acknowledged, and its bytes are gone: nothing may make it look as if it had never been.
      if (isCertain) return done;
      done = await closeRecord(this.#scope, top, "a crash cut it off before its commit");
      left = left.filter(({ id, version }) => id !== top.id || version !== top.version);
    }
  }

  async #withDisk(change: IndexedChange): Promise<IndexedChange> {
    if (change.deleted) return change;
    const blob = await lookAt(this.#scope.root, change.id, blobPath(change.id));
    return blob === undefined ? change : { ...change, diskBytes: blob.sizeBytes };
  }

  #isWhole(change: IndexedChange): Promise<boolean> {
    return bytesFit(this.#scope, change, blobPath(change.id));
  }

  /**
   * The rows of all lost versions, each with the mark for the blob that it replaced: the reaper
   * goes from mark to mark, whether these blobs are still there or were reaped long ago.
   */
  async #putBack({ open, chain, top, isCertain }: Newest): Promise<string | undefined> {
    const { catalog, group } = this.#scope;
    // Where the user has another group by now, the file moves there like all others.
    await catalog.assignGroup(top.user, group, top.atMs);
    const rows = await this.#rowsOf(chain);
    await catalog.load({ versions: isCertain ? rows : await this.#dated(rows) });
    crashPoint("fsck.loaded");
    for (const change of open) {
      // A record may be there twice: a repair that a crash cut off has written it anew.
      if (chain.some(({ id, version }) => id === change.id && version === change.version)) continue;
      await closeRecord(this.#scope, change, `version ${change.version} was another one`);
    }
    return top.deleted ? "the delete was put back" : "its row was put back";
  }

  /** What was replaced lies in the trash of its own group: a moved file came from another one. */
  async #rowsOf(chain: readonly IndexedChange[]): Promise<VersionRow[]> {
    const replaced = chain.flatMap(({ replaces }) => replaces ?? []);
    const old = new Map((await this.#scope.catalog.rowsOf(replaced)).map((row) => [row.id, row]));
    return chain.map((change) => {
      const { replaces, group } = change;
      const trashGroup = replaces === undefined ? undefined : (old.get(replaces)?.group ?? group);
      return rowOfChange(change, trashGroup);
    });
  }

  /**
   * What was in doubt comes into force now and not back then, or what it replaces, which could be
   * read all the time, would be due to be reaped at once.
   */
  async #dated(rows: readonly VersionRow[]): Promise<VersionRow[]> {
    const top = rows.at(-1);
    if (top === undefined) return [];
    const row = { ...top, atMs: Date.now() };
    const record = recordOf(row);
    if (record === undefined) return [...rows];
    await this.#scope.journal.append([record]);
    crashPoint("fsck.journaled");
    return [...rows.slice(0, -1), row];
  }
}

function setsOf(changes: readonly IndexedChange[]): VersionSet[] {
  const sets = Map.groupBy(changes, ({ version }) => version);
  return [...sets]
    .toSorted(([a], [b]) => a - b)
    .map(([version, all]) => {
      const ids = Map.groupBy(all, ({ id }) => id);
      const claims = [...ids.values()].flatMap(([first]) => first ?? []);
      return { version, claims, hasAborted: false };
    });
}
