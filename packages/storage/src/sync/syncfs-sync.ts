import { type FileHandle, open } from "node:fs/promises";
import type { Journal } from "@dsm/journal";
import { DsmError, limits } from "@dsm/protocol";
import { diskError } from "../disk-error.ts";
import type { SyncfsSupport } from "./file-system.ts";
import type { GroupSync } from "./group-sync.ts";
import { syncfs } from "./syncfs-thread.ts";

/**
 * For local file systems: one syncfs(2) covers the bytes, the names and the journal of a group,
 * however many files there are.
 */
export class SyncfsSync implements GroupSync {
  readonly blobsSyncThemselves = false;
  readonly blobSyncEveryBytes = limits.blobSyncEveryBytes;
  readonly #root: string;
  /**
   * Open for all of this life: the kernel tells each descriptor of each error in write-back that
   * came after it was opened, and tells it once.
   */
  readonly #directory: FileHandle;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(root: string, directory: FileHandle) {
    this.#root = root;
    this.#directory = directory;
  }

  static async open(root: string, { isSafe, why }: SyncfsSupport): Promise<SyncfsSync> {
    if (!isSafe) {
      throw new DsmError("BAD_CONFIG", `sync=syncfs is not safe for ${root}: ${why}`, {
        remedy: "leave sync on auto, or choose files",
      });
    }
    return new SyncfsSync(root, await open(root, "r"));
  }

  async sync(journal: Journal): Promise<void> {
    try {
      const synced = syncfs(this.#directory.fd);
      this.#syncing = synced.catch(() => undefined);
      await synced;
    } catch (cause) {
      // The journal may be closed by now, and has then no part to give up.
      await journal.giveUpPart().catch(() => undefined);
      throw diskError(`what was written to ${this.#root} cannot be made durable`, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The number of a closed descriptor soon stands for another file.
    await this.#syncing;
    await this.#directory.close();
  }
}
