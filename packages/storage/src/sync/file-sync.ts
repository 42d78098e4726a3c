import { dirname, join } from "node:path";
import { type Journal, syncDirectory } from "@dsm/journal";
import { limits, systemErrorCode } from "@dsm/protocol";
import { LRUCache } from "lru-cache";
import { diskError } from "../disk-error.ts";
import type { GroupSync } from "./group-sync.ts";

/**
 * For file systems that only promise what was asked for file by file: each blob has synced its
 * own bytes, and a group syncs its directories, each once, and the journal, all at the same time.
 */
export class FileSync implements GroupSync {
  readonly blobsSyncThemselves = true;
  readonly blobSyncEveryBytes = limits.blobSyncEveryBytes;
  readonly #root: string;
  /** Directories whose own names, up to the root, this process has made durable. */
  readonly #anchored = new LRUCache<string, true>({ max: limits.anchoredDirectoriesMax });

  constructor(root: string) {
    this.#root = root;
  }

  async sync(journal: Journal, directories: ReadonlySet<string>): Promise<void> {
    const all = new Set(directories);
    for (const path of directories) for (const above of this.#unproven(path)) all.add(above);
    // All have ended before anyone is told, so that no sync goes on behind a failure.
    const ended = await Promise.allSettled([
      journal.sync(),
      ...[...all].map((path) => this.#syncNames(path)),
    ]);
    const failed = ended.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    for (const path of all) this.#anchored.set(path, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /**
   * The directories above one that is used for the first time: whoever made it, maybe another
   * member of the group that died a moment later, has perhaps not synced its name.
   */
  #unproven(path: string): string[] {
    if (path === "." || this.#anchored.get(path) === true) return [];
    const above = dirname(path);
    return [above, ...this.#unproven(above)];
  }

  async #syncNames(path: string): Promise<void> {
    try {
      await syncDirectory(join(this.#root, path));
    } catch (cause) {
      // No directory, no names to lose: a sidecar is written only where it has something to say.
      if (systemErrorCode(cause) !== "ENOENT") {
        throw diskError(`${path} cannot be made durable`, cause);
      }
    }
  }
}
