import type { BlobId } from "@dsm/protocol";

/** A blob that waits in the trash of its group to be unlinked. */
export interface TrashedBlob {
  readonly blobId: BlobId;
  /** The id of the version that replaced it. */
  readonly trashedBy: BlobId;
  readonly atMs: number;
  readonly user: string;
  readonly fileId: string;
  /** Of the version that replaced it. */
  readonly version: number;
  /** 0 when the row of the old version is gone already. */
  readonly sizeBytes: number;
}

export interface TrashQuery {
  readonly group: string;
  readonly beforeMs: number;
  readonly limit: number;
}

/** Where an entry stands in the trash of its group. */
export type TrashKey = Pick<TrashedBlob, "atMs" | "user" | "fileId" | "version">;
