/**
 * Every place where a test can let a process die, with what is on the disk and in the catalog at
 * that moment. The test that walks this table is in test/crash.
 */
export const crashPoints = {
  "put.created": "The blob's file is there, without a byte.",
  "put.written": "All bytes of the blob are written; nothing is durable.",
  "put.abandoned": "A put has failed; its bytes still lie there.",
  "put.journaled": "The record of a put is written; nothing is durable.",
  "put.flushed": "Bytes, name and record of a put are durable; the catalog was not asked.",
  "put.committed": "The row of a put is in force; nobody was told.",
  "overwrite.journaled": "The record of an overwrite is written; nothing is durable.",
  "overwrite.flushed": "New bytes and record are durable; the catalog still has the old version.",
  "overwrite.committed": "The new version is in force; nobody was told.",
  "delete.journaled": "The record of a delete is written; nothing is durable.",
  "delete.flushed": "The record of a delete is durable; the catalog still has the file.",
  "delete.committed": "The tombstone is in force; nobody was told.",
  "restore.linked": "A trashed blob has a second name under a new id; nothing is journaled.",
  "move.copied":
    "The blob of a user who moves is copied to the new group; the file is still in the old one.",
  "abort.due": "The catalog refused a change; its record is still open.",
  "abort.journaled": "The abort of a refused change is written; it is not durable.",
  "abort.flushed": "The abort of a refused change is durable; the client was not told.",
  "settle.looked":
    "The catalog has no row of a change that was in doubt; its record is still open.",
  "settle.aborted": "The abort of such a change is durable; its blob still lies there.",
  "settle.removed": "The blob of such a change is gone.",
  "reaper.unlinked":
    "The blob of a trashed version is gone; the catalog still has it in the trash.",
  "reaper.forgotten": "A trashed version is gone from disk and catalog.",
  "heal.written":
    "Bad pieces are overwritten with good bytes; the file is still marked as damaged.",
  "heal.checked": "All of a blob was read back after its healing; its mark still stands.",
  "fsck.noted": "The note of what goes to lost+found is written; it lies where it was.",
  "fsck.moved": "Something is in lost+found; its record in the journal is still open.",
  "fsck.linked": "A misplaced blob has a second name in its place; the wrong one is still there.",
  "fsck.journaled": "What is put in force late is journaled anew; its row is not there.",
  "fsck.loaded": "A lost row is back; the usage does not count it yet.",
  "journal.closed": "A full part of the journal is closed; the next one is not there.",
  "journal.opened": "The next part of the journal is there, and empty.",
  "ids.leased": "An ID server has a new segment from the catalog and has given no id of it.",
  "lease.taken": "A storage has new ids from an ID server and has used none.",
} as const satisfies Record<string, string>;

export type CrashPoint = keyof typeof crashPoints;

const variable = "DSM_CRASH_AT";

/** `name` or `name:n`: this process ends, as by kill -9, when it comes there for the n-th time. */
function armed(): { readonly name: string; readonly turn: number } | undefined {
  const wish = process.env[variable];
  if (wish === undefined || wish === "") return undefined;
  const [, name = "", turn = "1"] = /^([^:]*)(?::([1-9]\d*))?$/.exec(wish) ?? [];
  if (Object.hasOwn(crashPoints, name)) return { name, turn: Number(turn) };
  throw new Error(`${variable}=${wish}: no such crash point; see packages/faults`);
}

function crashing({ name, turn }: { name: string; turn: number }): (name: CrashPoint) => void {
  let left = turn;
  return (reached) => {
    if (reached === name && --left === 0) process.kill(process.pid, "SIGKILL");
  };
}

const wish = armed();

/** Called behind each step that a crash may part from the next. Does nothing unless armed. */
export const crashPoint: (name: CrashPoint) => void =
  wish === undefined ? () => {} : crashing(wish);
