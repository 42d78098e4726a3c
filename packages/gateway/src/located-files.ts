import type { DsmClient, LocatedFile, LocateFileOptions } from "@dsm/client";
import { DsmError, type FileInfo, isExpired, limits } from "@dsm/protocol";
import { LRUCache } from "lru-cache";
import type { GatewayMetrics } from "./metrics.ts";

export interface LocatedFilesOptions {
  readonly client: Pick<DsmClient, "locateFile">;
  /** How old an answer may be that is given again; 0 asks each time. */
  readonly freshnessMs: number;
  /** How old it may have been when the catalog went down, to be given as long as that lasts. */
  readonly outageGraceMs: number;
  readonly metrics: Pick<GatewayMetrics, "located">;
  readonly now?: () => number;
}

interface Known {
  readonly located: LocatedFile;
  /** When it was asked for: what it says was true then or later. */
  readonly askedAtMs: number;
}

interface Asking {
  readonly answer: Promise<LocatedFile>;
  readonly askedAtMs: number;
}

/**
 * Where files are, as trackers say, remembered for so short a time that a delete or an overwrite
 * through any other gateway is soon seen by this one too, and until `forget` for those that this
 * process makes itself. That there is no such file is never remembered.
 *
 * While the catalog is down nothing can be deleted or replaced, so what was known before goes on
 * being served (design, section 2). That trackers cannot be reached is another thing: others may
 * reach them, so then nothing old is given.
 */
export class LocatedFiles {
  readonly #options: LocatedFilesOptions;
  readonly #now: () => number;
  readonly #known = new LRUCache<string, Known>({ max: limits.locatedFilesMax });
  readonly #asking = new Map<string, Asking>();
  /** When the catalog was found to be down; undefined while it is up, as far as is known. */
  #outageSinceMs: number | undefined;

  constructor(options: LocatedFilesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** @throws DsmError FILE_NOT_FOUND, USER_NOT_FOUND, GROUP_UNAVAILABLE, … */
  async locate(user: string, fileId: string, signal: AbortSignal): Promise<LocatedFile> {
    const key = keyOf(user, fileId);
    const known = this.#known.get(key);
    // One that has expired may have been replaced before it did, so that is asked.
    if (known !== undefined && this.#isFresh(known)) {
      this.#options.metrics.located.inc({ from: "memory" });
      return known.located;
    }
    const { answer } = this.#ask(key, user, fileId);
    const old = this.#inOutage(key);
    if (old === undefined) {
      const located = await within(signal, answer).catch((error: unknown) => {
        const kept = this.#inOutage(key);
        if (kept === undefined) throw error;
        return kept;
      });
      if (isExpired(located.file, this.#now())) throw expired(located.file);
      return located;
    }
    // Asked all the same, so that the end of the outage is noticed.
    answer.catch(() => {});
    return old;
  }

  /** To be called before a change of the file is acknowledged by this process. */
  forget(user: string, fileId: string): void {
    const key = keyOf(user, fileId);
    this.#known.delete(key);
    // An answer that is on its way may be older than the change.
    this.#asking.delete(key);
  }

  /** Requests for the same file share one question, if that is young enough for the later one. */
  #ask(key: string, user: string, fileId: string): Asking {
    const underWay = this.#asking.get(key);
    if (underWay !== undefined && this.#age(underWay) < this.#options.freshnessMs) return underWay;
    this.#options.metrics.located.inc({ from: "tracker" });
    const asking: Asking = {
      answer: this.#options.client.locateFile(user, fileId, this.#patience(key)),
      askedAtMs: this.#now(),
    };
    this.#asking.set(key, asking);
    void this.#remember(key, asking);
    return asking;
  }

  /**
   * A catalog that hangs is found out by waiting alone. Where there is an answer to fall back on,
   * nobody waits until another server of it may be found, nor for more tries than a few.
   */
  #patience(key: string): LocateFileOptions {
    if (!this.#known.has(key)) return {};
    const untilMs = this.#now() + limits.locatedRetryForMs;
    const mayRepeat = (error: DsmError) => !isOutage(error) || this.#now() < untilMs;
    return { mayRepeat, mayWait: false };
  }

  /** Never rejects. */
  async #remember(key: string, asking: Asking): Promise<void> {
    const { answer, askedAtMs } = asking;
    try {
      const located = await answer;
      this.#outageSinceMs = undefined;
      if (this.#asking.get(key) === asking) this.#known.set(key, { located, askedAtMs });
    } catch (error) {
      if (isOutage(error)) {
        this.#outageSinceMs ??= this.#now();
      } else {
        this.#outageSinceMs = undefined;
        // A file that is gone must not come back with the next outage.
        this.#known.delete(key);
      }
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    }
  }

  /** What was known of a file shortly before the outage that there is; else undefined. */
  #inOutage(key: string): LocatedFile | undefined {
    const known = this.#known.get(key);
    if (known === undefined || this.#outageSinceMs === undefined) return undefined;
    if (this.#outageSinceMs - known.askedAtMs >= this.#options.outageGraceMs) return undefined;
    if (isExpired(known.located.file, this.#now())) return undefined;
    this.#options.metrics.located.inc({ from: "memory_in_outage" });
    return known.located;
  }

  #isFresh(known: Known): boolean {
    const isYoung = this.#age(known) < this.#options.freshnessMs;
    return isYoung && !isExpired(known.located.file, this.#now());
  }

  #age({ askedAtMs }: { readonly askedAtMs: number }): number {
    return this.#now() - askedAtMs;
  }
}

/** No name of a user has a slash. */
function keyOf(user: string, fileId: string): string {
  return `${user}/${fileId}`;
}

/** As a tracker says it; its clock was a little behind, or the file expired on the way. */
function expired({ user, fileId }: FileInfo): DsmError {
  return new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
    remedy: `see dsm list --user ${user}`,
  });
}

function isOutage(error: unknown): boolean {
  return error instanceof DsmError && error.code === "CATALOG_UNAVAILABLE";
}

/** Others may wait for the same answer, so one who leaves ends the waiting and not the question. */
async function within<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([answer, left]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
