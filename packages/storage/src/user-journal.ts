import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog, UserRow } from "@dsm/catalog";
import type { Journal } from "@dsm/journal";
import type { Log } from "@dsm/log";
import { limits, systemErrorCode, timeMsSchema } from "@dsm/protocol";
import { LRUCache } from "lru-cache";
import { z } from "zod";

interface UserJournalOptions {
  readonly root: string;
  readonly storageId: string;
  readonly group: string;
  readonly journal: Pick<Journal, "append">;
  readonly catalog: Pick<Catalog, "users">;
  readonly log: Log;
}

const markSchema = z.object({ sinceMs: timeMsSchema });

/**
 * Journals the users of the group, with their quotas, as they come and change, so that a rebuild
 * of the catalog finds them. No upload waits for this: it asks the catalog now and then what has
 * changed since the last time, and remembers that time from one life to the next. Of a user who
 * is newer than that, a rebuild knows the group from the records of the files.
 */
export class UserJournal implements AsyncDisposable {
  readonly #options: UserJournalOptions;
  readonly #markPath: string;
  /** What of the time that is asked for twice is in the journal already: user and updatedAtMs. */
  readonly #written = new LRUCache<string, number>({ max: limits.journaledUsersMax });
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: UserJournalOptions) {
    this.#options = options;
    this.#markPath = join(options.root, "journal", options.storageId, "users.json");
  }

  start(): void {
    this.#timer = setInterval(() => this.#startRound(), limits.userJournalIntervalMs);
    this.#timer.unref();
    this.#startRound();
  }

  /** Once over all that has changed. @throws DsmError CATALOG_UNAVAILABLE, STORAGE_FAILED, … */
  async journalChanges(): Promise<void> {
    const startedAtMs = Date.now();
    const sinceMs = await this.#readMark();
    const { group, catalog } = this.#options;
    let after: string | undefined;
    do {
      const place = after === undefined ? {} : { after };
      const users = await catalog.users({ ...place, group, sinceMs, limit: limits.listMax });
      await this.#append(users);
      after = users.length < limits.listMax ? undefined : users.at(-1)?.name;
    } while (after !== undefined && !this.#isClosed);
    // The clocks of those who write users may differ a little from this one.
    const mark = { sinceMs: Math.max(sinceMs, startedAtMs - limits.clockSkewMaxMs) };
    if (!this.#isClosed && mark.sinceMs > sinceMs) await this.#writeMark(mark);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#round;
  }

  #startRound(): void {
    this.#round ??= this.journalChanges()
      .catch((err: unknown) => {
        this.#options.log.debug({ err }, "users not journaled; tried again at the next interval");
      })
      .finally(() => (this.#round = undefined));
  }

  async #append(users: readonly UserRow[]): Promise<void> {
    const news = users.filter((user) => this.#written.get(user.name) !== user.updatedAtMs);
    if (news.length === 0) return;
    await this.#options.journal.append(news.map((user) => ({ kind: "user", ...user })));
    for (const { name, updatedAtMs } of news) this.#written.set(name, updatedAtMs);
  }

  async #readMark(): Promise<number> {
    try {
      const text = await readFile(this.#markPath, "utf8");
      return markSchema.safeParse(JSON.parse(text)).data?.sinceMs ?? 0;
    } catch (error) {
      // Without it everybody is journaled once more, which does no harm.
      if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return 0;
      throw error;
    }
  }

  async #writeMark(mark: z.infer<typeof markSchema>): Promise<void> {
    const draft = `${this.#markPath}.${process.pid}`;
    await writeFile(draft, JSON.stringify(mark));
    await rename(draft, this.#markPath);
  }
}
