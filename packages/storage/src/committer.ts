import type { Catalog, Change } from "@dsm/catalog";
import { DsmError, limits } from "@dsm/protocol";
import type { Journal } from "./journal.ts";
import type { JournalRecord } from "./journal-record.ts";

interface Waiting {
  readonly change: Change;
  readonly resolve: (inForce: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Told of a file that changed, or may have, before anyone else is. */
export type FileListener = (user: string, fileId: string) => void;

/**
 * Commits changes in groups: while one group is on its way, the next one gathers. A group costs
 * one journal write, one fdatasync and one catalog statement, however many uploads are in it.
 */
export class Committer {
  readonly #journal: Journal;
  readonly #catalog: Catalog;
  readonly #onChanged: FileListener;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(journal: Journal, catalog: Catalog, onChanged: FileListener = () => {}) {
    this.#journal = journal;
    this.#catalog = catalog;
    this.#onChanged = onChanged;
  }

  /**
   * @returns false when another change of the same file came first; nothing of this one is left
   * @throws DsmError STORAGE_FAILED before the catalog was asked, so that the change is certainly
   * not in force; CATALOG_UNAVAILABLE (as CommitInDoubt) when nobody knows whether it is
   */
  commit(change: Change): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#waiting.push({ change, resolve, reject });
    if (!this.#running) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, limits.commitBatchMax);
      try {
        await this.#commitGroup(group);
      } catch (error) {
        for (const waiting of group) waiting.reject(error);
      }
    }
    this.#running = false;
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    const changes = group.map((waiting) => waiting.change);
    await this.#journal.append(changes);
    const inForce = await this.#tellCatalog(changes).finally(() => {
      for (const change of changes) this.#tellListener(change);
    });
    const [won, lost] = [true, false].map((is) => group.filter((_, i) => inForce[i] === is));
    // Those that are in force are done, whatever becomes of the records of the others.
    for (const waiting of won ?? []) waiting.resolve(true);
    if (lost === undefined || lost.length === 0) return;
    await this.#journal.append(lost.map(({ change }) => abortOf(change)));
    for (const waiting of lost) waiting.resolve(false);
  }

  #tellListener(change: Change): void {
    const { user, fileId } = change.kind === "put" ? change.file : change;
    this.#onChanged(user, fileId);
  }

  async #tellCatalog(changes: readonly Change[]): Promise<boolean[]> {
    try {
      return await this.#catalog.commit(changes);
    } catch (cause) {
      throw new CommitInDoubt(DsmError.from(cause, "the catalog statement"));
    }
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

function abortOf(change: Change): JournalRecord {
  const { id, version } =
    change.kind === "put" ? { id: change.file.blobId, version: change.file.version } : change;
  return { kind: "abort", id, version, atMs: Date.now() };
}
