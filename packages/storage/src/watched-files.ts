import type { Catalog, CurrentVersion } from "@dsm/catalog";
import { DsmError, type FileInfo, limits, unexpired } from "@dsm/protocol";
import { LRUCache } from "lru-cache";

interface WatchedFilesOptions {
  readonly catalog: Pick<Catalog, "current">;
  /** How long the bytes of a replaced version are there. */
  readonly trashGraceMs: number;
  readonly now?: () => number;
}

interface Look {
  readonly answer: Promise<CurrentVersion | undefined>;
  readonly atMs: number;
  /** The newest answer that there was. */
  last?: { readonly newest: CurrentVersion | undefined } | undefined;
}

/**
 * Whether files whose readers hold a capability for long are still there. The capability names
 * the blob, so nothing has to be asked to serve it; but a delete that was acknowledged must be
 * seen by every later request (design, section 6, invariant 4). So the catalog is asked, for each
 * file at most once in limits.watchedFreshnessMs however many read it, and what this storage
 * changes itself is seen at once.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  readonly #now: () => number;
  readonly #looks = new LRUCache<string, Look>({ max: limits.watchedFilesMax });
  #catalogIsDown = false;

  constructor(options: WatchedFilesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * A version that was replaced is still served to those who began with it, as long as its bytes
   * are certainly there: they get no byte of the new one, and see no fault.
   * @throws DsmError FILE_NOT_FOUND when the file was deleted, PRECONDITION_FAILED when this
   * version cannot be served any more
   */
  async assertReadable(file: FileInfo): Promise<void> {
    const look = this.#look(file);
    // While the catalog is down nobody can delete, so readers do not wait for it. It is asked all
    // the same, so that the end of the outage is noticed.
    if (!this.#catalogIsDown) await look.answer.catch(rethrowUnlessOutage);
    if (look.last !== undefined) this.#assertServes(file, look.last.newest);
  }

  /** To be called before a change of the file is acknowledged by this process. */
  forget(user: string, fileId: string): void {
    this.#looks.delete(keyOf(user, fileId));
  }

  #look({ user, fileId }: FileInfo): Look {
    const key = keyOf(user, fileId);
    const known = this.#looks.get(key);
    const atMs = this.#now();
    if (known !== undefined && atMs - known.atMs < limits.watchedFreshnessMs) return known;
    const answer = this.#options.catalog.current(user, fileId);
    const look: Look = { answer, atMs, last: known?.last };
    this.#looks.set(key, look);
    answer.then(
      (newest) => {
        look.last = { newest };
        this.#catalogIsDown = false;
      },
      (error: unknown) => (this.#catalogIsDown = isOutage(error)),
    );
    return look;
  }

  #assertServes(file: FileInfo, newest: CurrentVersion | undefined): void {
    // A replica of the catalog may lag behind whoever signed the capability.
    if (newest !== undefined && newest.version < file.version) return;
    const live = unexpired(newest?.file, this.#now());
    if (newest === undefined || live === undefined) throw gone(file);
    if (live.blobId === file.blobId) return;
    // Versions count deletes too: what the newest one follows directly was replaced by it.
    const isNext = newest.version === file.version + 1;
    const replacedAtMs = newest.movedAtMs ?? live.modifiedAtMs;
    const keptUntilMs = replacedAtMs + this.#options.trashGraceMs;
    if (!isNext || keptUntilMs <= this.#now()) throw replaced(file);
  }
}

function keyOf(user: string, fileId: string): string {
  // No user name holds a slash.
  return `${user}/${fileId}`;
}

function rethrowUnlessOutage(error: unknown): void {
  if (!isOutage(error)) throw error;
}

function isOutage(error: unknown): boolean {
  return error instanceof DsmError && error.code === "CATALOG_UNAVAILABLE";
}

function gone({ user, fileId }: FileInfo): DsmError {
  return new DsmError("FILE_NOT_FOUND", `${user}/${fileId} was deleted or has expired`, {
    remedy: `see dsm list --user ${user}`,
  });
}

function replaced({ user, fileId }: FileInfo): DsmError {
  return new DsmError("PRECONDITION_FAILED", `${user}/${fileId} is another version by now`, {
    remedy: "open the link to the gateway again and read from the start",
  });
}
