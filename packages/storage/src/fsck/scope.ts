import type { Catalog, KnownBlob } from "@dsm/catalog";
import type { Journal } from "@dsm/journal";
import type { BlobStore } from "../blob-store.ts";
import type { DamageMarks } from "../damage-marks.ts";
import type { Pace } from "./pace.ts";

/** What a check of a group works with. */
export interface FsckOptions {
  readonly root: string;
  readonly group: string;
  readonly catalog: Catalog;
  readonly blobs: Pick<BlobStore, "remove">;
  /** Of this storage; what the journals of the group lack is appended here. */
  readonly journal: Pick<Journal, "append">;
  readonly marks: Pick<DamageMarks, "mark">;
  /** limits.orphanAgeMs unless given, and less only in tests. */
  readonly orphanAgeMs?: number | undefined;
  /** How long a storage is left to settle what an earlier life left open; less only in tests. */
  readonly settlingMaxMs?: number | undefined;
}

/** The same for one run. */
export interface Scope extends FsckOptions {
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Whether what happened then may still be under way; the clocks of hosts differ by less. */
  readonly isYoung: (atMs: number) => boolean;
  /**
   * Whether a blob was committed after the run began: it is the work of the next one. Ids grow, so
   * a run that took such blobs too would go after the uploads for ever, far behind the names that
   * it has read from the disk.
   */
  readonly cameSince: (blob: KnownBlob) => boolean;
}
