import type { Catalog } from "@dsm/catalog";
import type { PolicyOptions, StopNoticeOptions } from "@dsm/delivery";
import type { ClusterSecret } from "@dsm/protocol";
import type { FileListener } from "./committer.ts";
import type { DataPortsOptions } from "./data-ports.ts";
import type { ScrubTerms } from "./scrub/scrub-service.ts";
import type { SyncMode } from "./sync/open-group-sync.ts";

export interface StorageOptions
  extends PolicyOptions, StopNoticeOptions, DataPortsOptions, Partial<ScrubTerms> {
  readonly id: string;
  readonly group: string;
  /** Where the group file system is mounted. */
  readonly root: string;
  readonly trackers: readonly string[];
  readonly idServers: readonly string[];
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  /** Ids leased at a time. */
  readonly leaseIds: number;
  /** The storage is full when the group file system has less free than this. */
  readonly reserveBytes: number;
  readonly trashGraceMs: number;
  readonly reapIntervalMs: number;
  /** Blobs that are unlinked in a second at most; limits.reapPerSecond unless given. */
  readonly reapPerSecond?: number;
  /** Bytes of users who move here that are copied in a second; 0 copies none. */
  readonly moveBytesPerSecond?: number | undefined;
  /** limits.movePollMs unless given, for tests. */
  readonly movePollMs?: number | undefined;
  /** How what is acknowledged becomes durable; auto unless given. */
  readonly sync?: SyncMode;
  /** The most changes that share a sync and a statement; limits.commitBatchMax unless given. */
  readonly commitGroupMax?: number;
  /** When changes in doubt are settled; limits.doubtSettleMs unless given, for tests. */
  readonly doubtSettleMs?: number;
  /** When a part of the journal is full; limits.journalPartMaxBytes unless given. */
  readonly journalPartMaxBytes?: number;
  /** How old blobs without a row are when fsck tells of them; likewise limits.orphanAgeMs. */
  readonly orphanAgeMs?: number;
  /** How often it asks whether to look for them; limits.orphanLookMs unless given, for tests. */
  readonly orphanLookMs?: number;
  /** How long fsck leaves a storage that has begun anew to settle its doubts; for tests. */
  readonly settlingMaxMs?: number;
  /** Who sends it may read /metrics of the data port; only this machine unless given. */
  readonly metricsKey?: string | undefined;
  /** Told of each file that this storage changed, before the change is acknowledged. */
  readonly onChanged?: FileListener;
}
