import type { BlobId, FileInfo, StoredSpace, TrashedFile, UserUsage } from "@dsm/protocol";
import type { TrashedBlob, TrashKey, TrashQuery } from "./trashed.ts";

export type { TrashedBlob, TrashKey, TrashQuery };

/**
 * A new version with bytes. `file.blobId` is the id of the change, `file.version` is one more
 * than the newest version that the caller saw (1 for a new file), `file.modifiedAtMs` its time.
 */
export interface PutChange {
  readonly kind: "put";
  readonly file: FileInfo;
  /** The blob of the version before, which goes into the trash; absent after a delete. */
  readonly replaces?: BlobId;
  /**
   * The time of the change where that is not `file.modifiedAtMs`: of a file that was moved, whose
   * bytes are as old as they were. The trash goes by this one.
   */
  readonly atMs?: number;
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

/**
 * What became of a change. `superseded`: its version does not follow the newest one, or `replaces`
 * is not that one's blob. `over quota`: the user's live bytes would pass the quota.
 */
export type CommitOutcome = "in force" | "superseded" | "over quota";

export interface CurrentVersion {
  readonly version: number;
  /** When it came into force, where the file itself is older: it was moved to its group. */
  readonly movedAtMs?: number;
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
  /** Files that have expired by then are not listed. */
  readonly nowMs: number;
}

export interface ListPage {
  readonly files: FileInfo[];
  /** What to pass as `after` for the next page; absent on the last one. */
  readonly next?: string;
}

/** A user as the catalog keeps it; what a backup holds and a rebuild restores. */
export interface UserRow {
  readonly name: string;
  readonly group: string;
  readonly assignedAtMs: number;
  readonly quotaBytes?: number;
  /** When the group or the quota changed last. */
  readonly updatedAtMs: number;
}

/**
 * One row of the table of versions, whole: for fsck, backup and rebuild, which see history and not
 * only files. A tombstone has no blob: 0 bytes, "" as sha256 and mediaType.
 */
export interface VersionRow {
  readonly user: string;
  readonly fileId: string;
  readonly version: number;
  readonly id: BlobId;
  readonly group: string;
  readonly deleted: boolean;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mediaType: string;
  readonly atMs: number;
  /** How old the file is, where that is not `atMs`. */
  readonly modifiedAtMs?: number;
  readonly replaces?: BlobId;
  readonly trashGroup?: string;
  readonly expiresAtMs?: number;
  readonly damage?: string;
}

/** What a group has besides its name; the marker of its file system carries the same id. */
export interface GroupRow {
  readonly name: string;
  /** A UUID. */
  readonly id: string;
  readonly createdAtMs: number;
}

/** Files of a user that lie in another group than the user's, to which they have to move. */
export interface Move {
  readonly user: string;
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly bytes: number;
}

/** One blob that the catalog knows of, and whether readers can still reach it. */
export interface KnownBlob {
  readonly file: FileInfo;
  readonly state: "live" | "trash";
}

/** Pages by key: what comes behind `after`, in the order of the key, at most `limit` of it. */
interface Page<Key> {
  readonly after?: Key;
  /** 1 to `limits.listMax`. */
  readonly limit: number;
}

export interface MoveKey {
  readonly user: string;
  readonly from: string;
}

export interface VersionKey {
  readonly user: string;
  readonly fileId: string;
  readonly version: number;
}

/** What fsck found of the table of usage: what it says, and what the versions add up to. */
export interface UsageFault {
  readonly user: string;
  readonly group: string;
  readonly counted: StoredSpace;
  readonly actual: StoredSpace;
}

/** Ids from `first` on, `count` of them, that nobody else ever gets. */
export interface Segment {
  readonly first: number;
  readonly count: number;
}

export interface ReadOptions {
  /**
   * False fails at once while none of several servers can be used, instead of a moment later, for
   * who has something older to fall back on. True unless given.
   */
  readonly mayWait?: boolean | undefined;
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
  /**
   * Makes a group that of a user, who is new or has another one. New files go there; those that
   * lie elsewhere stay readable where they are and are `moves`, also those of uploads that were
   * under way.
   */
  reassignGroup(user: string, group: string, nowMs: number): Promise<void>;
  /** By user and group: of all, of one user, or to one group. */
  moves(query: Page<MoveKey> & { user?: string; to?: string }): Promise<Move[]>;
  /** Live files of a user in other groups than this one, in the byte order of their ids. */
  filesElsewhere(query: Page<string> & { user: string; group: string }): Promise<FileInfo[]>;
  /** The id of a group, as the first storage of it has claimed it. */
  groupIdOf(group: string): Promise<string | undefined>;
  /**
   * First writer wins; gives the id in force. May be repeated.
   * @throws DsmError CONFLICT when another group has this id
   */
  claimGroupId(group: string, id: string, nowMs: number): Promise<string>;
  /** All groups with an id, by name. */
  groups(): Promise<GroupRow[]>;
  /** The newest version of a file; undefined when there never was one. */
  current(user: string, fileId: string, options?: ReadOptions): Promise<CurrentVersion | undefined>;
  /** Live files of a user in the byte order of their ids. */
  list(query: ListQuery): Promise<ListPage>;
  /**
   * Adds all changes, at most `limits.commitBatchMax`, in one transaction with what they change in
   * the usage of their users, and says of each whether it is in force, now or from an earlier try
   * of the same id. After `superseded` read `current` and decide anew. Of two versions of one file
   * in a batch the later one is never in force. Two commits at the same moment, of whatever
   * processes, never pass a quota together, but for one case on Galera that
   * docs/design/2026-11-23-galera.md tells.
   */
  commit(changes: readonly Change[]): Promise<CommitOutcome[]>;
  /** The first segment of a name starts at 1. A lost answer skips ids and never repeats them. */
  leaseSegment(name: string, count: number): Promise<Segment>;
  /** Blobs put into the trash of a group before a time, by their keys: oldest first. */
  trashed(query: TrashQuery & { readonly after?: TrashKey }): Promise<TrashedBlob[]>;
  /**
   * To be called after the blob was unlinked: removes the row of the old version, then the mark.
   * May be repeated. A version that itself still has a blob in the trash is kept, and its own
   * entry stays in the trash, until that blob was forgotten.
   */
  forgetTrashed(blob: TrashedBlob): Promise<void>;
  /** Blobs of a user in the trash whose bytes may still be there, in the order of their ids. */
  trashOf(query: Page<BlobId> & { user: string; prefix?: string }): Promise<TrashedFile[]>;
  /** Live files of a group, or of a user in it, that expired before a time, soonest first. */
  expired(query: TrashQuery & { readonly user?: string }): Promise<FileInfo[]>;
  /** Undefined for a user that there is not. */
  usageOf(user: string): Promise<UserUsage | undefined>;
  /** The sum over the users with files in that group. */
  usageOfGroup(group: string): Promise<StoredSpace>;
  /** @throws DsmError USER_NOT_FOUND */
  setQuota(user: string, quotaBytes: number | undefined, nowMs: number): Promise<void>;
  /** Says which pieces of a blob are bad (protocol/damage.ts), or that it is sound again. */
  markDamage(blobId: BlobId, damage: string | undefined): Promise<void>;
  /** Files of a group, live or in the trash, that are marked as damaged, by blob id. */
  damaged(query: Page<BlobId> & { group: string }): Promise<KnownBlob[]>;
  /** Every blob of a group that the catalog knows of, by blob id. */
  blobs(query: Page<BlobId> & { group: string }): Promise<KnownBlob[]>;
  /** What it knows of these blobs, in any order; at most limits.listMax. */
  blobsOf(ids: readonly BlobId[]): Promise<KnownBlob[]>;
  /** The entry of a blob in the trash, and of which group's; undefined when it is not there. */
  trashEntryOf(blobId: BlobId): Promise<(TrashedBlob & { trashGroup: string }) | undefined>;
  /** The rows with these ids, blobs and tombstones, in any order; at most limits.listMax ids. */
  rowsOf(ids: readonly BlobId[]): Promise<VersionRow[]>;
  /** Blobs of a user, live or in the trash, with exactly these bytes. */
  blobsWith(user: string, sha256: string): Promise<FileInfo[]>;
  /** All users, by name; with `group` and `sinceMs` those of a group that changed since then. */
  users(query: Page<string> & { group?: string; sinceMs?: number }): Promise<UserRow[]>;
  /** All versions of the whole catalog, by key. */
  versions(query: Page<VersionKey>): Promise<VersionRow[]>;
  /** All segments of ids: name and the first id that nobody has leased yet. */
  segments(): Promise<Array<{ name: string; next: number }>>;
  /**
   * From the moment of the backup that this catalog was restored from until the restore ended: it
   * knows nothing of what was committed in between. Undefined when it never was restored.
   */
  restoredGap(): Promise<{ fromMs: number; untilMs: number } | undefined>;
  /** The first id that was leased after a rebuild or a restore filled this catalog, if one did. */
  firstIdSinceLoad(): Promise<number | undefined>;
  /**
   * Reads the whole catalog as it is at one moment, while others go on writing.
   * `work` sees that moment in `groups`, `users`, `versions` and `segments`.
   */
  snapshot<T>(
    work: (at: Pick<Catalog, "groups" | "users" | "versions" | "segments">) => Promise<T>,
  ): Promise<T>;
  /**
   * Writes rows as they are, for restore and rebuild. A row whose key is there already stays as it
   * was; a segment is only ever moved on, never back. The usage of their users and their moves are
   * wrong until `checkUsage` with `repair`.
   */
  load(rows: {
    groups?: readonly GroupRow[];
    users?: readonly UserRow[];
    versions?: readonly VersionRow[];
    segments?: ReadonlyArray<{ name: string; next: number }>;
  }): Promise<void>;
  /** Whether nothing was ever written. */
  isEmpty(): Promise<boolean>;
  /**
   * Usage rows that differ from the sum of the versions; with `repair` they are set right. Reads
   * all versions, and holds nobody up.
   */
  checkUsage(options: { repair: boolean }): Promise<UsageFault[]>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
