import { type BlobId, limits } from "@dsm/protocol";
import { and, eq, inArray, isNotNull } from "drizzle-orm";
import type { Change, CommitOutcome } from "../catalog.ts";
import { decoderOf } from "../decode.ts";
import type { Dialect } from "../dialect.ts";
import { change, readRows, type ScriptRun, Undo } from "../script.ts";
import { insertion, type NewRow, rowOf } from "./insert-versions.ts";
import { addUsage, Usage } from "./usage.ts";

/** @throws RangeError for more than `limits.commitBatchMax` changes */
export async function commitChanges(
  dialect: Dialect,
  changes: readonly Change[],
): Promise<CommitOutcome[]> {
  if (changes.length > limits.commitBatchMax) {
    throw new RangeError(`${changes.length} changes are more than ${limits.commitBatchMax}`);
  }
  if (changes.length === 0) return [];
  const rows = changes.map(rowOf);
  const once = new Map<BlobId, NewRow>();
  for (const row of rows) if (!once.has(row.id)) once.set(row.id, row);
  // All processes lock rows in the same order, so that deadlocks stay rare.
  const inOrder = [...once.values()].toSorted((a, b) => Buffer.compare(sortKey(a), sortKey(b)));
  const outcomes = await commitRows(dialect, inOrder);
  return rows.map((row) => {
    const taken = once.get(row.id);
    return taken !== undefined && isSame(taken, row) ? outcomeOf(outcomes, row) : "superseded";
  });
}

type Outcomes = Map<BlobId, CommitOutcome>;

function outcomeOf(outcomes: Outcomes, { id }: NewRow): CommitOutcome {
  return outcomes.get(id) ?? "superseded";
}

/**
 * Nearly always nothing stands in the way, and one INSERT takes all rows. Only when it took fewer,
 * or a quota is near, is it undone and looked at more closely, for it cannot tell a row of an
 * earlier try, whose bytes are counted already, from a row of this one.
 */
async function commitRows(dialect: Dialect, rows: readonly NewRow[]): Promise<Outcomes> {
  const doing = `commit ${rows.length} changes`;
  try {
    return await dialect.atomic(doing, () => allAtOnce(dialect, rows));
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
    return dialect.atomic(doing, () => oneByOne(dialect, rows));
  }
}

function* allAtOnce(dialect: Dialect, rows: readonly NewRow[]): ScriptRun<Outcomes> {
  const quotas = yield* lockQuotas(dialect, rows);
  if (!(yield* isRoomForAll(dialect, rows, quotas))) throw new Undo();
  if ((yield* change(insertion(dialect, rows))) < rows.length) throw new Undo();
  yield* addUsage(dialect, yield* usageOfRows(dialect, rows));
  return new Map(rows.map(({ id }) => [id, "in force"]));
}

/**
 * The locks come before the look at the ids: an earlier try, whose answer was lost, may be about
 * to end on another connection, and must be waited for. What is not there behind them is new.
 */
function* oneByOne(dialect: Dialect, rows: readonly NewRow[]): ScriptRun<Outcomes> {
  const quotas = yield* lockQuotas(dialect, rows);
  const outcomes: Outcomes = new Map();
  const there = yield* idsThere(dialect, rows, dialect.locking);
  for (const row of rows) {
    const known = there.get(row.id);
    if (known !== undefined) outcomes.set(row.id, isSame(known, row) ? "in force" : "superseded");
  }
  const fresh = rows.filter(({ id }) => !outcomes.has(id));
  yield* insertFree(
    dialect,
    fresh.filter(({ user }) => !quotas.has(user)),
    outcomes,
  );
  const files = new Set<string>();
  for (const row of fresh) {
    const quotaBytes = quotas.get(row.user);
    if (quotaBytes === undefined) continue;
    const file = sortKey(row).toString();
    // A batch does not see itself, whether its users have quotas or not.
    const isFirst = !files.has(file);
    const outcome = isFirst ? yield* insertBound(dialect, row, quotaBytes) : "superseded";
    if (outcome === "in force") files.add(file);
    outcomes.set(row.id, outcome);
  }
  return outcomes;
}

/** Rows of users without a quota, by one statement. */
function* insertFree(
  dialect: Dialect,
  rows: readonly NewRow[],
  outcomes: Outcomes,
): ScriptRun<void> {
  if (rows.length === 0) return;
  yield* change(insertion(dialect, rows));
  const there = yield* idsThere(dialect, rows);
  const added = rows.filter(({ id }) => there.has(id));
  for (const { id } of added) outcomes.set(id, "in force");
  if (added.length > 0) yield* addUsage(dialect, yield* usageOfRows(dialect, added));
}

/** One row of a user whose quota is locked by this transaction. */
function* insertBound(dialect: Dialect, row: NewRow, quotaBytes: number): ScriptRun<CommitOutcome> {
  // A change that does not follow the newest version is told that first, for it would be counted
  // against a file that is no longer there.
  if ((yield* change(insertion(dialect, [row]))) === 0) return "superseded";
  const usage = yield* usageOfRows(dialect, [row]);
  const moreBytes = usage.liveBytesOf(row.user);
  if (moreBytes > 0) {
    const liveBytes = (yield* liveBytesOf(dialect, [row.user])).get(row.user) ?? 0;
    if (liveBytes + moreBytes > quotaBytes) {
      const { versions } = dialect.tables;
      yield* change(dialect.db.delete(versions).where(eq(versions.id, row.id)));
      return "over quota";
    }
  }
  yield* addUsage(dialect, usage);
  return "in force";
}

/** Whether nobody comes near a quota, even if nothing that is replaced made room. */
function* isRoomForAll(
  dialect: Dialect,
  rows: readonly NewRow[],
  quotas: ReadonlyMap<string, number>,
): ScriptRun<boolean> {
  if (quotas.size === 0) return true;
  const liveBytes = yield* liveBytesOf(dialect, [...quotas.keys()]);
  return quotas.entries().every(([user, quotaBytes]) => {
    const own = rows.filter((row) => row.user === user);
    const moreBytes = own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return moreBytes === 0 || (liveBytes.get(user) ?? 0) + moreBytes <= quotaBytes;
  });
}

/** What rows change in the usage of their users, once they are in force. */
function* usageOfRows(dialect: Dialect, rows: readonly NewRow[]): ScriptRun<Usage> {
  const usage = new Usage();
  const old = yield* replacedBy(dialect, rows);
  for (const { user, group, deleted, sizeBytes, replaces } of rows) {
    if (deleted === 0) usage.add(user, group, { liveFiles: 1, liveBytes: sizeBytes });
    const was = replaces == null ? undefined : old.get(replaces);
    if (was === undefined) continue;
    usage.add(user, was.group, { liveFiles: -1, liveBytes: -was.sizeBytes });
    usage.add(user, was.group, { trashBlobs: 1, trashBytes: was.sizeBytes });
  }
  return usage;
}

function* replacedBy(dialect: Dialect, rows: readonly NewRow[]) {
  const ids = rows.flatMap(({ replaces }) => (replaces == null ? [] : [replaces]));
  const { id, group, sizeBytes } = dialect.tables.versions;
  const columns = { id, group, sizeBytes };
  if (ids.length === 0) return new Map<BlobId, { group: string; sizeBytes: number }>();
  const { versions } = dialect.tables;
  const found = yield* readRows(
    dialect.db.select(columns).from(versions).where(inArray(versions.id, ids)),
  );
  return new Map(found.map(decoderOf(columns)).map((row) => [row.id, row]));
}

/** The quotas of those who have one, locked until the transaction ends. */
function* lockQuotas(
  { db, tables: { users }, locking }: Dialect,
  rows: readonly NewRow[],
): ScriptRun<Map<string, number>> {
  const names = [...new Set(rows.map((row) => row.user))];
  const columns = { name: users.name, quotaBytes: users.quotaBytes };
  const query = db
    .select(columns)
    .from(users)
    .where(and(inArray(users.name, names), isNotNull(users.quotaBytes)))
    .orderBy(users.name);
  const found = (yield* readRows(query, locking)).map(decoderOf(columns));
  return new Map(found.map(({ name, quotaBytes }) => [name, quotaBytes ?? 0]));
}

/**
 * In all groups together. Not by the statement that takes the locks: what it reads beside the
 * locked rows is as old as the moment when it began to wait.
 */
function* liveBytesOf(dialect: Dialect, names: readonly string[]): ScriptRun<Map<string, number>> {
  const { userUsage } = dialect.tables;
  const columns = { user: userUsage.user, liveBytes: userUsage.liveBytes };
  const rows = yield* readRows(
    dialect.db
      .select(columns)
      .from(userUsage)
      .where(inArray(userUsage.user, [...names])),
  );
  const sums = new Map<string, number>();
  for (const { user, liveBytes } of rows.map(decoderOf(columns))) {
    sums.set(user, (sums.get(user) ?? 0) + liveBytes);
  }
  return sums;
}

function sortKey(row: NewRow): Buffer {
  return Buffer.from(`${row.user}\0${row.fileId}`);
}

type Place = Pick<NewRow, "user" | "fileId" | "version">;

/** Which ids of the rows are there, and what they name. */
function* idsThere(
  dialect: Dialect,
  rows: readonly NewRow[],
  ending = "",
): ScriptRun<Map<BlobId, Place>> {
  const { versions } = dialect.tables;
  const { id, user, fileId, version } = versions;
  const columns = { id, user, fileId, version };
  const ids = rows.map((row) => row.id);
  const query = dialect.db.select(columns).from(versions).where(inArray(id, ids));
  const found = yield* readRows(query, ending);
  return new Map(found.map(decoderOf(columns)).map((row) => [row.id, row]));
}

function isSame(there: Place, row: Place): boolean {
  return there.user === row.user && there.fileId === row.fileId && there.version === row.version;
}
