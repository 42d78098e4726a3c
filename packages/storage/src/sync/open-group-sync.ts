import type { Log } from "@dsm/log";
import { FileSync } from "./file-sync.ts";
import { syncfsSupport } from "./file-system.ts";
import type { GroupSync } from "./group-sync.ts";
import { NoSync } from "./no-sync.ts";
import { SyncfsSync } from "./syncfs-sync.ts";

/** What an operator may ask for; `auto` is syncfs where that is known to be right, else files. */
export type SyncMode = "auto" | "syncfs" | "files" | "none";

/** @throws DsmError BAD_CONFIG where syncfs was asked for and would not be safe */
export async function openGroupSync(root: string, mode: SyncMode, log: Log): Promise<GroupSync> {
  if (mode === "none") {
    log.warn({ root }, "sync=none: what is acknowledged here does NOT survive a power cut");
    return new NoSync();
  }
  if (mode === "files") return new FileSync(root);
  const support = await syncfsSupport(root);
  if (mode === "auto" && !support.isSafe) {
    log.info({ root, why: support.why }, "every file is synced by itself");
    return new FileSync(root);
  }
  return await SyncfsSync.open(root, support);
}
