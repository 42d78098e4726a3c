import { DsmError } from "@dsm/protocol";
import type { VersionRow } from "./catalog.ts";
import { Usage } from "./queries/usage.ts";

/**
 * Adds up the usage of users from all their versions, in the order of the keys, with one row in
 * memory: a sum over a user with millions of versions would be too much for one statement.
 */
export class UsageCounter {
  #last: VersionRow | undefined;
  #usage = new Usage();
  #users = new Set<string>();

  /** @throws DsmError DATA_CORRUPT for a row that does not come behind the one before */
  add(row: VersionRow): void {
    const last = this.#last;
    const isSameFile = last?.user === row.user && last.fileId === row.fileId;
    if (last !== undefined && !isBehind(row, last)) {
      throw new DsmError("DATA_CORRUPT", `version ${row.version} of a file is out of order`, {
        remedy: "take another backup",
      });
    }
    if (!isSameFile) this.#countNewest();
    if (row.trashGroup !== undefined) {
      const replaced = isSameFile && last.id === row.replaces ? last.sizeBytes : 0;
      this.#usage.add(row.user, row.trashGroup, { trashBlobs: 1, trashBytes: replaced });
    }
    this.#users.add(row.user);
    this.#last = row;
  }

  /** How many users are counted to the end. */
  get finishedUsers(): number {
    return this.#users.size - 1;
  }

  /** All but the last user, who may go on; they are forgotten here. */
  takeFinished(): { users: string[]; usage: Usage } {
    const last = this.#last?.user;
    const finished = new Usage();
    const open = new Usage();
    for (const { user, group, space } of this.#usage.entries) {
      (user === last ? open : finished).add(user, group, space);
    }
    const users = [...this.#users].filter((user) => user !== last);
    this.#usage = open;
    this.#users = new Set(last === undefined ? [] : [last]);
    return { users, usage: finished };
  }

  /** Everybody who is left. To be called behind the last row. */
  takeAll(): { users: string[]; usage: Usage } {
    this.#countNewest();
    return { users: [...this.#users], usage: this.#usage };
  }

  /** The last row of a file is its newest version. */
  #countNewest(): void {
    const last = this.#last;
    if (last === undefined || last.deleted) return;
    this.#usage.add(last.user, last.group, { liveFiles: 1, liveBytes: last.sizeBytes });
  }
}

function isBehind(row: VersionRow, last: VersionRow): boolean {
  if (row.user !== last.user) return row.user > last.user;
  if (row.fileId === last.fileId) return row.version > last.version;
  return Buffer.compare(Buffer.from(row.fileId), Buffer.from(last.fileId)) > 0;
}
