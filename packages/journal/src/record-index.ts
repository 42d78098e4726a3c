import type { Database, Statement } from "bun:sqlite";
import type { BlobId } from "@dsm/protocol";
import type { JournalRecord } from "./journal-record.ts";
import {
  addUsersOfPuts,
  type ChangeRow,
  changeOf,
  type IndexedChange,
  indexTables,
  insertChange,
  timeOf,
  type UserRecord,
  valuesOf,
} from "./record-tables.ts";
import { openScratchDatabase } from "./scratch-database.ts";

/** All that the journals say of one id: every change that took it, aborted ones too. */
export interface IdHistory {
  readonly id: BlobId;
  readonly changes: IndexedChange[];
}

type Value = string | number | null;

const transactionRecords = 10_000;

/**
 * The records of many journals, sorted, in a database of its own on disk, so that memory stays
 * flat however many there are: about 300 bytes a record, and as much again while it is sorted.
 * Add all records, then read.
 */
export class RecordIndex implements Disposable {
  readonly #database: Database;
  readonly #addChange: Statement<unknown, Value[]>;
  readonly #addAbort: Statement<unknown, Value[]>;
  readonly #addUser: Statement<unknown, Value[]>;
  readonly #addBlob: Statement<unknown, Value[]>;
  #seq = 0;
  #lives = 0;
  #life: string | undefined;
  #lifeLastMs = 0;
  #pending = 0;

  /**
   * @param folder the one of TMPDIR unless given
   * @throws DsmError DATA_NOT_WRITABLE
   */
  constructor(folder?: string) {
    this.#database = openScratchDatabase(folder);
    for (const table of indexTables) this.#database.run(table);
    this.#addChange = this.#database.prepare(insertChange);
    this.#addAbort = this.#database.prepare("INSERT OR IGNORE INTO aborts VALUES (?, ?)");
    this.#addBlob = this.#database.prepare("INSERT OR REPLACE INTO blobs VALUES (?, ?)");
    this.#addUser = this.#database.prepare(
      `INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE
       SET group_name = ?2, assigned_at_ms = ?3, quota_bytes = ?4, updated_at_ms = ?5
       WHERE ?5 >= updated_at_ms`,
    );
  }

  /** @param life of which life of which storage; the records of one come together, in order */
  add(record: JournalRecord, life: string): void {
    if (this.#pending++ === 0) this.#database.run("BEGIN");
    if (life !== this.#life) this.#beginLife(life);
    this.#lifeLastMs = Math.max(this.#lifeLastMs, timeOf(record));
    if (record.kind === "abort") this.#addAbort.run(record.id, record.version);
    else if (record.kind === "user") {
      const { name, group, assignedAtMs, quotaBytes, updatedAtMs } = record;
      this.#addUser.run(name, group, assignedAtMs, quotaBytes ?? null, updatedAtMs);
    } else this.#addChange.run(...valuesOf(record, ++this.#seq, this.#lives));
    if (this.#pending >= transactionRecords) this.#flush();
  }

  /** How many puts and deletes were added. */
  get changes(): number {
    return this.#seq;
  }

  /** The largest id that any record names; undefined when there are none. */
  get maxId(): BlobId | undefined {
    const id = this.#value(
      "SELECT max(id) FROM (SELECT id FROM changes UNION ALL SELECT id FROM aborts)",
    );
    return id === null ? undefined : (id as BlobId);
  }

  /** What the journals say of each id, in the order of the ids. */
  *byId(): Generator<IdHistory, void, undefined> {
    let history: IdHistory | undefined;
    for (const change of this.#select("ORDER BY c.id, c.version, c.seq")) {
      if (history?.id === change.id) history.changes.push(change);
      else {
        if (history !== undefined) yield history;
        history = { id: change.id, changes: [change] };
      }
    }
    if (history !== undefined) yield history;
  }

  /** Every blob that a record names, aborted and replaced ones too, in the order of the ids. */
  *namedBlobs(): Generator<BlobId, void, undefined> {
    this.#flush();
    const statement = this.#database.prepare<{ id: BlobId }, []>(
      `SELECT id FROM changes WHERE deleted = 0 UNION SELECT id FROM aborts
       UNION SELECT replaces FROM changes WHERE replaces IS NOT NULL ORDER BY 1`,
    );
    try {
      for (const { id } of statement.iterate()) yield id;
    } finally {
      statement.finalize();
    }
  }

  /** All changes by user, file id (both by bytes), version and id. */
  byFile(): Generator<IndexedChange, void, undefined> {
    return this.#select("ORDER BY c.user, c.file_id, c.version, c.id, c.seq");
  }

  /** Puts that no abort names, as they were added; between two pages blobs may be noted. */
  *putsInPages(pageSize: number): Generator<IndexedChange[], void, undefined> {
    const query = "WHERE c.deleted = 0 AND a.id IS NULL AND c.seq > ? ORDER BY c.seq LIMIT ?";
    for (let after = 0; ;) {
      const page = [...this.#select(query, after, pageSize)];
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.seq;
    }
  }

  /** Changes that put a blob out of use, aborted ones too. The first call sorts all by that. */
  replacing(id: BlobId): IndexedChange[] {
    this.#flush();
    this.#database.run("CREATE INDEX IF NOT EXISTS changes_replaces ON changes (replaces)");
    return [...this.#select("WHERE c.replaces = ? ORDER BY c.seq", id)];
  }

  /** What the journals say of one id. The first call sorts all by that. */
  historyOf(id: BlobId): IdHistory {
    this.#flush();
    this.#database.run("CREATE INDEX IF NOT EXISTS changes_id ON changes (id)");
    return { id, changes: [...this.#select("WHERE c.id = ? ORDER BY c.version, c.seq", id)] };
  }

  /** For how long its storage went on writing behind this change, in the same life. */
  wentOnMs({ life, atMs }: Pick<IndexedChange, "life" | "atMs">): number {
    return Number(this.#value("SELECT last_ms FROM lives WHERE life = ?", life)) - atMs;
  }

  /** Notes the sizes of blobs on the disk; they then stand in `diskBytes` of their changes. */
  noteOnDisk(blobs: Iterable<readonly [id: BlobId, sizeBytes: number]>): void {
    this.#flush();
    this.#database.transaction(() => {
      for (const [id, sizeBytes] of blobs) this.#addBlob.run(id, sizeBytes);
    })();
  }

  /**
   * All users by name, each as the record says that was updated last. A user of whom there is
   * none, as before dsm wrote such records, lives where the newest put is: at that time users
   * were only moved without files.
   */
  *users(): Generator<UserRecord, void, undefined> {
    this.#flush();
    this.#database.run(addUsersOfPuts);
    const statement = this.#database.prepare<UserRecord & { quotaBytes: number | null }, []>(
      `SELECT name, group_name AS "group", assigned_at_ms AS assignedAtMs,
        quota_bytes AS quotaBytes, updated_at_ms AS updatedAtMs FROM users ORDER BY name`,
    );
    try {
      for (const { quotaBytes, ...user } of statement.iterate()) {
        yield quotaBytes === null ? user : { ...user, quotaBytes };
      }
    } finally {
      statement.finalize();
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  *#select(rest: string, ...values: Value[]): Generator<IndexedChange, void, undefined> {
    this.#flush();
    const statement = this.#database.prepare<ChangeRow, Value[]>(
      `SELECT c.*, b.size_bytes AS disk_bytes, a.id IS NOT NULL AS aborted FROM changes AS c
       LEFT JOIN blobs AS b ON b.id = c.id
       LEFT JOIN aborts AS a ON a.id = c.id AND a.version = c.version ${rest}`,
    );
    try {
      for (const row of statement.iterate(...values)) yield changeOf(row);
    } finally {
      statement.finalize();
    }
  }

  #value(text: string, ...values: Value[]): Value {
    this.#flush();
    const [row] = this.#database.query<unknown, Value[]>(text).values(...values);
    return (row?.[0] ?? null) as Value;
  }

  #beginLife(life: string): void {
    this.#endLife();
    this.#lives++;
    this.#life = life;
    this.#lifeLastMs = 0;
  }

  #endLife(): void {
    this.#database.run("INSERT OR REPLACE INTO lives VALUES (?, ?)", [
      this.#lives,
      this.#lifeLastMs,
    ]);
  }

  #flush(): void {
    if (this.#pending === 0) return;
    this.#pending = 0;
    this.#endLife();
    this.#database.run("COMMIT");
  }
}
