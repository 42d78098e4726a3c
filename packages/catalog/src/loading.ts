import { DsmError, limits } from "@dsm/protocol";
import { inArray } from "drizzle-orm";
import type { Catalog } from "./catalog.ts";
import type { Dialect } from "./dialect.ts";
import { findMark, removeMark, setMark } from "./queries/marks.ts";
import { markMoves } from "./queries/moves.ts";
import { addUsage, type Usage } from "./queries/usage.ts";
import { markRestored, restoredGap } from "./restored.ts";
import { change } from "./script.ts";
import { UsageCounter } from "./usage-counter.ts";

/** A catalog that is being filled by a restore or a rebuild. Closing it closes the catalog. */
export class CatalogLoad implements AsyncDisposable {
  readonly #dialect: Dialect;
  readonly #catalog: Catalog;
  readonly #job: string;
  readonly #counter = new UsageCounter();
  #firstId = 0;
  #rowsAtATime: number = limits.catalogLoadRowsMax;
  #failingSinceMs: number | undefined;

  /** Use openCatalogToLoad. */
  constructor(dialect: Dialect, catalog: Catalog, job: string) {
    this.#dialect = dialect;
    this.#catalog = catalog;
    this.#job = job;
  }

  /**
   * Writes rows and counts what they add to the usage. A row that is there already stays. All
   * versions are to be given, in the order of their keys, also by a job that goes on with what it
   * began before.
   * @throws DsmError DATA_CORRUPT for versions out of order; CATALOG_UNAVAILABLE
   */
  async add(rows: Parameters<Catalog["load"]>[0]): Promise<void> {
    const { versions = [], ...others } = rows;
    for (const { next } of others.segments ?? []) this.#firstId = Math.max(this.#firstId, next);
    for (const row of versions) this.#counter.add(row);
    if (Object.keys(others).length > 0) {
      while (!(await this.#patiently(() => this.#catalog.load(others)))) continue;
    }
    for (let at = 0; at < versions.length;) {
      const part = versions.slice(at, at + this.#rowsAtATime);
      if (await this.#patiently(() => this.#catalog.load({ versions: part }))) at += part.length;
    }
    if (this.#counter.finishedUsers >= usersPerStatement) {
      await writeUsage(this.#dialect, this.#counter.takeFinished());
    }
  }

  /**
   * Opens the catalog to everybody else, once all rows are in it.
   * @param backupAtMs the moment of the backup that they came from, if they did
   */
  async finish(backupAtMs?: number): Promise<void> {
    await writeUsage(this.#dialect, this.#counter.takeAll());
    if (backupAtMs !== undefined) await markRestored(this.#dialect, backupAtMs);
    // Without a word on ids nobody knows which of them came later.
    const value = this.#firstId === 0 ? Number.MAX_SAFE_INTEGER : this.#firstId;
    await setMark(this.#dialect, { name: loadedMark, value });
    await removeMark(this.#dialect, markOf(this.#job));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#catalog.close();
  }

  /**
   * A job of hours does not end because the catalog is slow or away for a moment: what is tried
   * again does nothing twice, and has fewer rows the next time.
   * @returns whether it was done
   */
  async #patiently(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      this.#failingSinceMs = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof DsmError) || !error.retryable) throw error;
      const nowMs = performance.now();
      this.#failingSinceMs ??= nowMs;
      if (nowMs - this.#failingSinceMs > limits.catalogLoadPatienceMs) throw error;
    }
    const fewer = Math.floor(this.#rowsAtATime / 2);
    this.#rowsAtATime = Math.max(fewer, limits.catalogLoadRowsMin);
    await Bun.sleep(limits.catalogLoadRetryMs);
    return false;
  }
}

const usersPerStatement = 200;

/** In place of what an earlier try may have written. */
async function writeUsage(
  dialect: Dialect,
  { users, usage }: { users: readonly string[]; usage: Usage },
): Promise<void> {
  if (users.length === 0) return;
  const { userUsage } = dialect.tables;
  await dialect.atomic(`write the usage of ${users.length} users`, function* () {
    yield* change(dialect.db.delete(userUsage).where(inArray(userUsage.user, [...users])));
    yield* addUsage(dialect, usage);
    yield* markMoves(dialect, inArray(userUsage.user, [...users]));
  });
}

/**
 * Stands in the database while it is being filled, with the job behind it, so that a job that was
 * cut off leaves a catalog that no tracker, ID server or storage opens and takes for whole, and
 * that the same job goes on with.
 */
const loadingMark = "loading:";
/** The first id that is leased after a restore or a rebuild. */
const loadedMark = "loaded:";
const nameMaxChars = limits.userMaxChars;

/** @throws DsmError CATALOG_UNAVAILABLE for a catalog that is not whole yet */
export async function assertNotLoading(dialect: Dialect): Promise<void> {
  const job = await loadingJob(dialect);
  if (job === undefined) return;
  throw new DsmError("CATALOG_UNAVAILABLE", `the catalog is not whole: ${job} has not ended`, {
    remedy: "wait until it is done; where it was cut off, start the same again",
  });
}

/** @throws DsmError CONFLICT for a catalog that holds something, or half of another job */
export async function beginLoading(dialect: Dialect, catalog: Catalog, job: string): Promise<void> {
  const under = await loadingJob(dialect);
  if (under === job) return;
  if (under !== undefined) {
    throw new DsmError("CONFLICT", `the catalog holds half of another job: ${under}`, {
      remedy: "start that one again, or name an empty database or a new file",
    });
  }
  if (!(await catalog.isEmpty())) {
    throw new DsmError("CONFLICT", "the catalog is not empty, and nothing in it is written over", {
      remedy: "name an empty database or a new file; what a catalog lacks is mended by dsm fsck",
    });
  }
  await setMark(dialect, { name: markOf(job), value: 0 });
}

/** Undefined for a catalog that neither a restore nor a rebuild has filled. */
export async function firstIdSinceLoad(dialect: Dialect): Promise<number | undefined> {
  const firstId = (await findMark(dialect, loadedMark))?.value;
  if (firstId !== undefined) return firstId;
  // A restore by a dsm that did not leave the mark yet.
  return (await restoredGap(dialect)) === undefined ? undefined : Number.MAX_SAFE_INTEGER;
}

function markOf(job: string): string {
  return `${loadingMark}${job}`.slice(0, nameMaxChars);
}

async function loadingJob(dialect: Dialect): Promise<string | undefined> {
  return (await findMark(dialect, loadingMark))?.name.slice(loadingMark.length);
}
