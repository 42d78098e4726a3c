import type { Catalog, Change, CommitOutcome } from "@dsm/catalog";
import { crashPoint } from "@dsm/faults";
import { DsmError, limits } from "@dsm/protocol";
import { type Abort, abortOf, CommitInDoubt, passed, type Waiting } from "./commit-group.ts";

interface CatalogStageOptions {
  readonly catalog: Pick<Catalog, "commit">;
  readonly groupMax: number;
  readonly waitMs: number;
  readonly onChanged?: (user: string, fileId: string) => void;
  /** The change is not in force and never will be; its record in the journal is still open. */
  readonly onLost: (abort: Abort) => void;
  readonly onDoubt?: (change: Change) => void;
  /** Waited for before anybody hears that these are in force; never rejects. */
  readonly beforeAnswer?: ((inForce: readonly Change[]) => Promise<void>) | undefined;
}

/**
 * The last stage of a commit: what is durable is put into the catalog, one statement at a time.
 * The statement is idempotent, so while the catalog gives no answer it is sent again.
 */
export class CatalogStage {
  readonly #options: CatalogStageOptions;
  #durable: Waiting[] = [];
  #atCatalog = 0;
  #running: Promise<void> | undefined;

  constructor(options: CatalogStageOptions) {
    this.#options = options;
  }

  /** How many changes are waiting here, or are being asked about. */
  get length(): number {
    return this.#durable.length + this.#atCatalog;
  }

  /** Undefined when nothing is on its way. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  take(group: readonly Waiting[]): void {
    this.#durable.push(...group);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    let pauseMs: number = limits.commitRetryBaseMs;
    await Promise.resolve();
    while (this.#durable.length > 0) {
      const group = this.#inTime(this.#durable.splice(0, this.#options.groupMax));
      this.#atCatalog = group.length;
      const isAnswered = group.length === 0 || (await this.#ask(group));
      this.#atCatalog = 0;
      if (isAnswered) {
        pauseMs = limits.commitRetryBaseMs;
        continue;
      }
      await Bun.sleep(pauseMs);
      pauseMs = Math.min(2 * pauseMs, limits.commitRetryMaxMs);
    }
    this.#running = undefined;
  }

  /**
   * What took too long to become durable is given up while that is still certain: whoever settles
   * open records relies on no statement being sent later than this.
   */
  #inTime(group: readonly Waiting[]): Waiting[] {
    const nowMs = performance.now();
    return group.filter((waiting) => {
      const ageMs = nowMs - waiting.cameAtMs;
      if (waiting.askedAtMs !== undefined || ageMs <= limits.commitSyncMaxMs) return true;
      this.#lose(waiting.change, () => waiting.reject(tooSlow(ageMs)));
      return false;
    });
  }

  /** @returns whether there is an answer; without one, those who may still wait are back in line */
  async #ask(group: readonly Waiting[]): Promise<boolean> {
    for (const waiting of group) waiting.askedAtMs ??= performance.now();
    const changes = group.map((waiting) => waiting.change);
    try {
      const outcomes = await this.#options.catalog.commit(changes);
      passed(changes, "committed");
      await this.#options.beforeAnswer?.(changes.filter((_, i) => outcomes[i] === "in force"));
      for (const [i, waiting] of group.entries()) this.#answered(waiting, outcomes[i]);
      return true;
    } catch (cause) {
      this.#noAnswer(group, DsmError.from(cause, "the catalog statement"));
      return false;
    }
  }

  #answered({ change, resolve, reject }: Waiting, outcome: CommitOutcome | undefined): void {
    this.#tellListener(change);
    if (outcome === "in force") {
      resolve(outcome);
    } else if (outcome === undefined) {
      reject(new DsmError("INTERNAL", "the catalog did not say what became of a change"));
    } else {
      this.#lose(change, () => resolve(outcome), reject);
    }
  }

  /** Closes the record in the journal, and only then tells whoever waits. */
  #lose(change: Change, done: () => void, failed: (error: unknown) => void = done): void {
    crashPoint("abort.due");
    const leftOpen = (error: unknown) => {
      this.#options.onDoubt?.(change);
      failed(error);
    };
    this.#options.onLost({ record: abortOf(change), done, failed: leftOpen });
  }

  #noAnswer(group: readonly Waiting[], error: DsmError): void {
    const nowMs = performance.now();
    const isPatient = ({ askedAtMs = nowMs }: Waiting) =>
      error.retryable && nowMs - askedAtMs < this.#options.waitMs;
    this.#durable.unshift(...group.filter(isPatient));
    for (const waiting of group) {
      if (isPatient(waiting)) continue;
      this.#tellListener(waiting.change);
      this.#options.onDoubt?.(waiting.change);
      waiting.reject(new CommitInDoubt(error));
    }
  }

  #tellListener(change: Change): void {
    const { user, fileId } = change.kind === "put" ? change.file : change;
    this.#options.onChanged?.(user, fileId);
  }
}

function tooSlow(ageMs: number): DsmError {
  const what = `the group file system took ${Math.round(ageMs)} ms to make the change durable`;
  return new DsmError("OVERLOADED", what, {
    remedy: "look at the load and the health of its disks, and try again",
  });
}
