import type { BlobId, FileInfo } from "@dsm/protocol";

/**
 * A new version with bytes. `file.blobId` is the id of the change, `file.version` is one more
 * than the newest version that the caller saw (1 for a new file), `file.modifiedAtMs` its time.
 */
export interface PutChange {
  readonly kind: "put";
  readonly file: FileInfo;
  /** The blob of the version before, which goes into the trash; absent after a delete. */
  readonly replaces?: BlobId;
}

/** A tombstone: the version that ends a file. It takes an id of its own, but has no blob. */
export interface DeleteChange {
  readonly kind: "delete";
  readonly user: string;
  readonly fileId: string;
  readonly group: string;
  readonly id: BlobId;
  readonly version: number;
  readonly replaces: BlobId;
  readonly atMs: number;
}

export type Change = PutChange | DeleteChange;

/** A blob that waits in the trash of its group to be unlinked. */
export interface TrashedBlob {
  readonly blobId: BlobId;
  /** The id of the version that replaced it. */
  readonly trashedBy: BlobId;
  readonly atMs: number;
  readonly user: string;
  readonly fileId: string;
  /** 0 when the row of the old version is gone already. */
  readonly sizeBytes: number;
}

export interface CurrentVersion {
  readonly version: number;
  /** Absent when the newest version is a delete. */
  readonly file?: FileInfo;
}

export interface ListQuery {
  readonly user: string;
  /** Compared byte by byte; no character is special. */
  readonly prefix?: string;
  /** Only file ids after this one, by bytes. */
  readonly after?: string;
  /** 1 to `limits.listMax`. */
  readonly limit: number;
}

export interface ListPage {
  readonly files: FileInfo[];
  /** What to pass as `after` for the next page; absent on the last one. */
  readonly next?: string;
}

export interface TrashQuery {
  readonly group: string;
  readonly beforeMs: number;
  readonly limit: number;
}

/** Ids from `first` on, `count` of them, that nobody else ever gets. */
export interface Segment {
  readonly first: number;
  readonly count: number;
}

/**
 * The SQL metadata of a cluster. Each method throws DsmError CATALOG_UNAVAILABLE when the
 * database cannot be reached, is locked or too busy; every one may then be tried again, and none
 * does anything twice.
 */
export interface Catalog extends AsyncDisposable {
  readonly dialect: "sqlite" | "mysql";
  groupOf(user: string): Promise<string | undefined>;
  /** First writer wins, also between processes at the same moment; gives the group in force. */
  assignGroup(user: string, group: string, nowMs: number): Promise<string>;
  /** Moves a user. @throws DsmError CONFLICT when files of the user live in another group */
  reassignGroup(user: string, group: string, nowMs: number): Promise<void>;
  /** The newest version of a file; undefined when there never was one. */
  current(user: string, fileId: string): Promise<CurrentVersion | undefined>;
  /** Live files of a user in the byte order of their ids. */
  list(query: ListQuery): Promise<ListPage>;
  /**
   * Adds all changes, at most `limits.commitBatchMax`, by one statement, and says of each whether
   * it is in force, now or from an earlier try of the same id. One is not when its version does
   * not follow the newest one, or `replaces` is not that one's blob: read `current` and decide
   * anew. Of two versions of one file in a batch the later one is therefore never in force.
   */
  commit(changes: readonly Change[]): Promise<boolean[]>;
  /** The first segment of a name starts at 1. A lost answer skips ids and never repeats them. */
  leaseSegment(name: string, count: number): Promise<Segment>;
  /** Blobs that were put into the trash of a group before a time, oldest first. */
  trashed(query: TrashQuery): Promise<TrashedBlob[]>;
  /**
   * To be called after the blob was unlinked: removes the row of the old version, then the mark.
   * May be repeated. A version that itself still has a blob in the trash is kept, and its own
   * entry stays in the trash, until that blob was forgotten.
   */
  forgetTrashed(blob: TrashedBlob): Promise<void>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
