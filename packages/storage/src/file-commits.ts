import type { Catalog, Change, CurrentVersion, PutChange } from "@dsm/catalog";
import { DsmError, type FileInfo, limits, unexpired } from "@dsm/protocol";
import type { Committer } from "./committer.ts";
import { type MakeRoom, quotaExceeded } from "./quota.ts";

interface FileName {
  readonly user: string;
  readonly fileId: string;
}

/** What the catalog said of a file, and when it was asked, by performance.now(). */
export interface Look {
  readonly current: CurrentVersion | undefined;
  /** The file that there is for whoever asks; one that has expired is none. */
  readonly file: FileInfo | undefined;
  readonly atMs: number;
}

/** Bytes that are in place, and what is known of them before they are a version. */
export type NewBlob = Omit<FileInfo, "version" | "modifiedAtMs">;

export interface PutTerms extends FileName {
  /** Throws when the request's conditions do not allow to replace what is there now. */
  readonly check: (current: FileInfo | undefined) => void;
  /** How long the version is to live from its commit on, in milliseconds. */
  readonly ttlMs?: number | undefined;
}

interface FileCommitsOptions {
  readonly catalog: Pick<Catalog, "current" | "usageOf">;
  readonly committer: Pick<Committer, "commit">;
  /** Asked before a user is refused; nothing can be done unless given. */
  readonly makeRoom?: MakeRoom;
}

/** Puts versions into force, one on top of the other, whoever else writes the same file. */
export class FileCommits {
  readonly #options: FileCommitsOptions;

  constructor(options: FileCommitsOptions) {
    this.#options = options;
  }

  async look({ user, fileId }: FileName): Promise<Look> {
    const atMs = performance.now();
    const current = await this.#options.catalog.current(user, fileId);
    return { current, file: unexpired(current?.file, Date.now()), atMs };
  }

  /**
   * A new version with these bytes.
   * @param seen what an earlier look has shown: good enough for the first try while it is young,
   * for the catalog refuses the change if it is so no more
   * @throws DsmError as `terms.check` does; QUOTA_EXCEEDED, CONFLICT, …
   */
  async put(
    terms: PutTerms,
    blob: NewBlob,
    seen?: Look,
  ): Promise<{ file: FileInfo; created: boolean }> {
    let created = true;
    const make = ({ current, file: live }: Look): PutChange => {
      terms.check(live);
      created = live === undefined;
      const version = (current?.version ?? 0) + 1;
      const modifiedAtMs = Date.now();
      const life = terms.ttlMs === undefined ? {} : { expiresAtMs: modifiedAtMs + terms.ttlMs };
      const file: FileInfo = { ...blob, version, modifiedAtMs, ...life };
      // One that has expired is still the version before, and its blob goes into the trash.
      const replaces = current?.file?.blobId;
      return { kind: "put", file, ...(replaces === undefined ? {} : { replaces }) };
    };
    const { file } = await this.untilWon(terms, make, seen);
    return { file, created };
  }

  /**
   * A change is conditional on the version before it. Who loses to another writer looks again,
   * so that the last one to finish wins, unless the request's own conditions forbid it.
   */
  async untilWon<C extends Change>(
    name: FileName,
    make: (look: Look) => C | Promise<C>,
    seen?: Look,
  ): Promise<C> {
    let look = seen !== undefined && isYoung(seen) ? seen : await this.look(name);
    for (let attempt = 0; attempt < limits.commitRetryMax; attempt++) {
      const change = await make(look);
      const outcome = await this.#options.committer.commit(change);
      if (outcome === "in force") return change;
      if (outcome === "over quota" && (await this.#options.makeRoom?.(name.user)) !== true) {
        throw await this.#overQuota(name.user, change);
      }
      look = await this.look(name);
    }
    throw new DsmError("CONFLICT", `${JSON.stringify(name.fileId)} is being changed by others`, {
      remedy: "try again",
    });
  }

  async #overQuota(user: string, change: Change): Promise<DsmError> {
    const usage = await this.#options.catalog.usageOf(user);
    const sizeBytes = change.kind === "put" ? change.file.sizeBytes : 0;
    return quotaExceeded(user, sizeBytes, usage);
  }
}

function isYoung({ atMs }: Look): boolean {
  return performance.now() - atMs < limits.currentFreshnessMs;
}
