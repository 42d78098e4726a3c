import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Catalog, Change } from "@dsm/catalog";
import { type JournalPart, journalParts, type JournalRecord, readPart } from "@dsm/journal";
import { DsmError, limits } from "@dsm/protocol";
import { forgetAnswers, proofsOf } from "./answered-changes.ts";
import { idOf, isRowOf, placeOf } from "./commit-group.ts";
import { readSettledParts, writeSettledParts } from "./settled-parts.ts";

interface Lives {
  readonly root: string;
  readonly storageId: string;
  /** The incarnation that asks; its own records are none of an earlier life. */
  readonly ownLife: string;
  readonly catalog: Pick<Catalog, "rowsOf" | "current" | "restoredGap">;
}

interface InDoubt {
  readonly changes: Change[];
  /** Whether a change was certainly never acknowledged, so that its bytes are garbage. */
  readonly isProven: (change: Change) => boolean;
  /** The catalog lacks what was acknowledged: then nothing may be settled by its word. */
  readonly catalogWentBack: DsmError | undefined;
  /** To be called when they are settled: what was looked at is not looked at again. */
  readonly settled: () => Promise<void>;
}

/**
 * The changes of earlier lives of a storage that may have been in doubt when the life ended: the
 * records near its end that no abort has closed and that have no row. Each part of a journal is
 * looked at once, unless it has grown since: another worker of the same storage may still write.
 * @throws DsmError CATALOG_UNAVAILABLE, STORAGE_FAILED
 */
export async function recordsInDoubt(lives: Lives): Promise<InDoubt> {
  const { root, storageId, ownLife } = lives;
  const known = await readSettledParts(root, storageId);
  const parts = (await journalParts(root, storageId)).filter(({ life }) => !life.endsWith(ownLife));
  const changes: Change[] = [];
  const proven = new Set<Change>();
  const isKnown = await isKnownOf(lives.catalog);
  let catalogWentBack: DsmError | undefined;
  for (const ofLife of Map.groupBy(parts, ({ life }) => life).values()) {
    const isNew = ofLife.some(({ path, sizeBytes }) => known[path] !== sizeBytes);
    if (!isNew) continue;
    const open = [...(await lastOpen(lives, ofLife))].filter(isKnown);
    if (open.length === 0) continue;
    const place = { root, storageId, incarnation: incarnationOf(ofLife) };
    const { acknowledged, isComplete } = await proofsOf(place, open);
    catalogWentBack ??= await wentBack(lives, acknowledged);
    // What was acknowledged and is not lost has made way for a later version.
    const undecided = new Set(open).difference(new Set(acknowledged));
    if (isComplete) for (const change of undecided) proven.add(change);
    changes.push(...undecided);
  }
  const settled = Object.fromEntries(parts.map(({ path, sizeBytes }) => [path, sizeBytes]));
  return {
    changes,
    isProven: (change) => proven.has(change),
    catalogWentBack,
    settled: async () => {
      await writeSettledParts(root, storageId, settled);
      // Another worker of this storage may be alive, and goes on noting.
      const keptFromMs = Date.now() - limits.answersKeptMs;
      const isEnded = (life: string, atMs: number) => life !== ownLife && atMs < keptFromMs;
      await forgetAnswers(lives, isEnded);
    },
  };
}

function incarnationOf([part]: readonly JournalPart[]): string {
  // A life is named by its storage, the time of its start, which has no hyphen, and itself.
  const name = basename(part?.life ?? "");
  return name.slice(name.indexOf("-") + 1);
}

/** What was acknowledged has a row, or a later version of its file has: tombstones stay. */
async function wentBack({ catalog, storageId }: Lives, acknowledged: readonly Change[]) {
  for (const change of acknowledged) {
    const { user, fileId, version } = placeOf(change);
    const current = await catalog.current(user, fileId);
    if (current !== undefined && current.version > version) continue;
    const what = `the catalog has lost version ${version} of ${JSON.stringify(fileId)} of ${user}`;
    return new DsmError("DATA_CORRUPT", `${what}, which ${storageId} has acknowledged`, {
      remedy: "it was put back from before: run dsm fsck --repair, then start this storage again",
    });
  }
  return undefined;
}

/**
 * A catalog that was restored from a backup lacks what was committed between that and the restore.
 * What it does not know of that time may well have been acknowledged, so it is left open, and fsck
 * brings it back. What came later is settled as ever.
 */
async function isKnownOf(catalog: Lives["catalog"]): Promise<(change: Change) => boolean> {
  const gap = await catalog.restoredGap();
  if (gap === undefined) return () => true;
  const fromMs = gap.fromMs - limits.clockSkewMaxMs;
  const untilMs = gap.untilMs + limits.clockSkewMaxMs;
  return (change) => timeOf(change) < fromMs || timeOf(change) > untilMs;
}

async function lastOpen({ root, catalog }: Lives, parts: readonly JournalPart[]) {
  const times = await Promise.all(parts.map(({ path }) => modifiedAtMs(join(root, path))));
  const fromMs = Math.max(...times) - limits.doubtWindowMs;
  const open = new Map<string, Change>();
  let unasked = 0;
  for (const [i, part] of parts.entries()) {
    if ((times[i] ?? 0) < fromMs) continue;
    for await (const line of readPart(root, part)) {
      if (!("record" in line) || line.record.kind === "user") continue;
      const { record } = line;
      if (record.kind === "abort") open.delete(`${record.id} ${record.version}`);
      else if (timeOf(record) >= fromMs) {
        open.set(keyOf(changeOf(record)), changeOf(record));
        unasked++;
      }
      // What is in force already need not be kept in mind, however busy the last minutes were.
      if (unasked === limits.listMax) {
        await dropInForce(open, catalog);
        unasked = 0;
      }
    }
  }
  await dropInForce(open, catalog);
  return open.values();
}

async function dropInForce(open: Map<string, Change>, catalog: Lives["catalog"]): Promise<void> {
  const changes = [...open.values()];
  for (let start = 0; start < changes.length; start += limits.listMax) {
    const page = changes.slice(start, start + limits.listMax);
    const rows = await catalog.rowsOf([...new Set(page.map(idOf))]);
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const change of page) {
      const row = byId.get(idOf(change));
      if (row !== undefined && isRowOf(row, change)) open.delete(keyOf(change));
    }
  }
}

type ChangeRecord = Extract<JournalRecord, { kind: "put" | "delete" }>;

function changeOf(record: ChangeRecord): Change {
  if (record.kind === "delete") return record;
  const { kind, file, replaces, atMs } = record;
  return {
    kind,
    file,
    ...(replaces === undefined ? {} : { replaces }),
    ...(atMs === undefined ? {} : { atMs }),
  };
}

function keyOf(change: Change): string {
  return `${idOf(change)} ${placeOf(change).version}`;
}

function timeOf(change: ChangeRecord | Change): number {
  return change.kind === "put" ? (change.atMs ?? change.file.modifiedAtMs) : change.atMs;
}

async function modifiedAtMs(path: string): Promise<number> {
  return (await stat(path)).mtimeMs;
}
