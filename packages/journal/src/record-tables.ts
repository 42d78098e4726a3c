import type { BlobId } from "@dsm/protocol";
import type { JournalRecord } from "./journal-record.ts";

/** A user as the journals tell of it. */
export interface UserRecord {
  readonly name: string;
  readonly group: string;
  readonly assignedAtMs: number;
  readonly quotaBytes?: number;
  readonly updatedAtMs: number;
}

type ChangeRecord = Extract<JournalRecord, { kind: "put" | "delete" }>;

/** A put or delete of a journal. A delete has 0 bytes, "" as sha256 and mediaType. */
export interface IndexedChange {
  /** Counts the records as they were added. */
  readonly seq: number;
  readonly life: number;
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
  readonly expiresAtMs?: number;
  /** The size of its blob, where `noteOnDisk` was told of it. */
  readonly diskBytes?: number;
  /** An abort says that it is not in force. */
  readonly aborted: boolean;
}

export interface ChangeRow {
  readonly seq: number;
  readonly life: number;
  readonly user: string;
  readonly file_id: string;
  readonly version: number;
  readonly id: BlobId;
  readonly group_name: string;
  readonly deleted: number;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly media_type: string;
  readonly at_ms: number;
  readonly replaces: BlobId | null;
  readonly expires_at_ms: number | null;
  readonly modified_at_ms: number | null;
  readonly disk_bytes: number | null;
  readonly aborted: number;
}

/** Changes are only appended, as they are read; what has to be looked up is sorted by its key. */
export const indexTables = [
  `CREATE TABLE changes (seq INTEGER PRIMARY KEY, life INTEGER, user TEXT, file_id TEXT,
    version INTEGER, id TEXT, group_name TEXT, deleted INTEGER, size_bytes INTEGER, sha256 TEXT,
    media_type TEXT, at_ms INTEGER, replaces TEXT, expires_at_ms INTEGER,
    modified_at_ms INTEGER)`,
  `CREATE TABLE aborts (id TEXT, version INTEGER, PRIMARY KEY (id, version)) WITHOUT ROWID`,
  `CREATE TABLE lives (life INTEGER PRIMARY KEY, last_ms INTEGER)`,
  `CREATE TABLE blobs (id TEXT PRIMARY KEY, size_bytes INTEGER) WITHOUT ROWID`,
  `CREATE TABLE users (name TEXT PRIMARY KEY, group_name TEXT, assigned_at_ms INTEGER,
    quota_bytes INTEGER, updated_at_ms INTEGER) WITHOUT ROWID`,
];

export const insertChange = `INSERT INTO changes VALUES (${Array(15).fill("?").join(", ")})`;

const putsOf = `FROM changes AS c WHERE deleted = 0 AND NOT EXISTS
  (SELECT 1 FROM aborts AS a WHERE a.id = c.id AND a.version = c.version) GROUP BY user`;

/** Beside one min() or max(), SQLite takes bare columns from the row that has it. */
export const addUsersOfPuts = `INSERT OR IGNORE INTO users
  SELECT newest.user, newest.group_name, oldest.at_ms, NULL, oldest.at_ms FROM
    (SELECT user, group_name, max(at_ms) ${putsOf}) AS newest
    JOIN (SELECT user, min(at_ms) AS at_ms ${putsOf}) AS oldest USING (user)`;

/** In the order of the columns. */
export function valuesOf(
  record: ChangeRecord,
  seq: number,
  life: number,
): (string | number | null)[] {
  if (record.kind === "delete") {
    const { user, fileId, version, id, group, atMs, replaces } = record;
    return [seq, life, user, fileId, version, id, group, 1, 0, "", "", atMs, replaces, null, null];
  }
  const { user, fileId, version, blobId, group, sizeBytes, sha256, mediaType, ...file } =
    record.file;
  const name = [seq, life, user, fileId, version, blobId, group, 0];
  const times = [timeOf(record), record.replaces ?? null, file.expiresAtMs ?? null];
  const isOlder = record.atMs !== undefined;
  return [...name, sizeBytes, sha256, mediaType, ...times, isOlder ? file.modifiedAtMs : null];
}

/** When it was written, by the clock of its storage; 0 where it does not say. */
export function timeOf(record: JournalRecord): number {
  if (record.kind === "user") return 0;
  return record.kind === "put" ? (record.atMs ?? record.file.modifiedAtMs) : record.atMs;
}

export function changeOf(row: ChangeRow): IndexedChange {
  return {
    seq: row.seq,
    life: row.life,
    user: row.user,
    fileId: row.file_id,
    version: row.version,
    id: row.id,
    group: row.group_name,
    deleted: row.deleted === 1,
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    mediaType: row.media_type,
    atMs: row.at_ms,
    ...(row.replaces === null ? {} : { replaces: row.replaces }),
    ...(row.expires_at_ms === null ? {} : { expiresAtMs: row.expires_at_ms }),
    ...(row.modified_at_ms === null ? {} : { modifiedAtMs: row.modified_at_ms }),
    ...(row.disk_bytes === null ? {} : { diskBytes: row.disk_bytes }),
    aborted: row.aborted === 1,
  };
}
