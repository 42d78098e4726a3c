import type { Journal } from "@dsm/journal";

/**
 * How what a storage has written becomes durable, once for each group of changes. See
 * docs/design/2026-11-23-what-is-synced-when.md.
 */
export interface GroupSync extends AsyncDisposable {
  /** A blob syncs its own bytes before it joins a group; else the sync of the group covers them. */
  readonly blobsSyncThemselves: boolean;
  /**
   * A blob starts to sync its bytes whenever it has so many more, so that a group never waits for
   * a large upload; undefined for never.
   */
  readonly blobSyncEveryBytes: number | undefined;
  /**
   * Makes durable what was written before the call: the records in the journal and the names in
   * `directories`, which are paths below the root. One call at a time.
   * @throws DsmError STORAGE_FAILED or STORAGE_FULL; then nothing of the group is proven durable
   */
  sync(journal: Journal, directories: ReadonlySet<string>): Promise<void>;
}
