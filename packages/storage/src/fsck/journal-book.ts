import {
  type IdHistory,
  type IndexedChange,
  type JournalPart,
  journalParts,
  type JournalRecord,
  readPart,
  RecordIndex,
} from "@dsm/journal";
import { type BlobId, limits } from "@dsm/protocol";
import { readSettledParts, type SettledParts } from "../settled-parts.ts";
import type { Fault } from "./finding.ts";

/** How old a look at the journals may be that tells whether a record was closed meanwhile. */
const freshMs = 500;

/** Records that are handled before others of this process get their turn. */
const turnRecords = 1_000;

/**
 * A storage that lives closes what did not come into force within this time. What it wrote behind
 * a record for longer proves that the record stood.
 */
const settledAfterMs = limits.doubtSettleMs + limits.doubtRoundMaxMs;

/** What all journals of a group say, as they were when they were read. */
export class JournalBook implements Disposable {
  readonly #root: string;
  readonly #group: string;
  /** For how long after its start a storage is left to settle what it found open. */
  readonly #settlingMaxMs: number;
  readonly #index = new RecordIndex();
  /** How long each part was when it was read last. */
  readonly #sizes = new Map<string, number>();
  readonly #closed = new Set<string>();
  /** The lives of the index, which counts them from 1 as their first records come. */
  readonly #lives: JournalPart[] = [];
  /** The newest life of each storage, by its name. */
  #newest = new Map<string, string>();
  /** What each storage has settled of its earlier lives. */
  #settled = new Map<string, SettledParts>();
  #isWhole = true;
  #readAtMs = -Infinity;

  /** @param settlingMaxMs how long a storage is left to settle what an earlier life left open */
  constructor(root: string, group: string, settlingMaxMs?: number) {
    this.#root = root;
    this.#group = group;
    this.#settlingMaxMs = settlingMaxMs ?? settledAfterMs + limits.clockSkewMaxMs;
  }

  /** Puts and deletes. */
  get changes(): number {
    return this.#index.changes;
  }

  /** No record is known to be missing: what the journals do not say was never said. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** To be called when a record turns out to be missing. */
  noteLoss(): void {
    this.#isWhole = false;
  }

  parts(): Promise<JournalPart[]> {
    return journalParts(this.#root);
  }

  /** Reads one part; what cannot be read in it is told. Undefined now and then, to be heard of. */
  async *read(part: JournalPart): AsyncGenerator<Fault | undefined> {
    this.#sizes.set(part.path, part.sizeBytes);
    let lines = 0;
    for await (const line of readPart(this.#root, part)) {
      if (++lines % turnRecords === 0) yield undefined;
      const why = "damage" in line ? line.damage : this.#foreignGroup(line.record);
      if ("record" in line && why === undefined) this.#add(line.record, part);
      if (why === undefined) continue;
      this.#isWhole = false;
      const facts = { path: line.path, detail: `line ${line.line}: ${why}` };
      yield { kind: "journal-damaged", facts };
    }
  }

  /** By id, with all changes that took it. */
  byId() {
    return this.#index.byId();
  }

  historyOf(id: BlobId): IdHistory {
    return this.#index.historyOf(id);
  }

  /** All changes by user, file id and version. */
  byFile() {
    return this.#index.byFile();
  }

  /** Changes that put the blob out of use, aborted ones too. */
  replacing(id: BlobId): IndexedChange[] {
    return this.#index.replacing(id);
  }

  wentOnMs(change: IndexedChange): number {
    return this.#index.wentOnMs(change);
  }

  /** Whether its storage would have closed it were it not in force. */
  isCertain(change: IndexedChange): boolean {
    return this.wentOnMs(change) > settledAfterMs;
  }

  /** Whether an abort names it, also one that was written since the journals were read. */
  async isClosed(change: IndexedChange): Promise<boolean> {
    await this.#lookAgain();
    return change.aborted || this.#closed.has(keyOf(change));
  }

  /**
   * Whether its storage has begun another life a moment ago, and has yet to find out by itself what
   * became of what the one before has left open. What it has done by then isClosed tells.
   */
  async isBeingSettled(change: IndexedChange): Promise<boolean> {
    await this.#lookAgain();
    const part = this.#lives[change.life - 1];
    const newest = part === undefined ? undefined : this.#newest.get(part.storageId);
    if (part === undefined || newest === undefined || newest === part.life) return false;
    const settledBytes = this.#settled.get(part.storageId)?.[part.path];
    if (settledBytes === this.#sizes.get(part.path)) return false;
    return Date.now() - beganAtMs(newest) < this.#settlingMaxMs;
  }

  [Symbol.dispose](): void {
    this.#index[Symbol.dispose]();
  }

  #add(record: JournalRecord, part: JournalPart): void {
    if (this.#lives.at(-1)?.life !== part.life) this.#lives.push(part);
    this.#index.add(record, part.life);
  }

  /** For aborts and lives that came since the journals were read. */
  async #lookAgain(): Promise<void> {
    if (performance.now() - this.#readAtMs < freshMs) return;
    this.#readAtMs = performance.now();
    const known = await this.parts();
    // Before the journals: of what a storage says to have settled, they have the aborts.
    const storageIds = [...new Set(known.map(({ storageId }) => storageId))];
    this.#settled = new Map(
      await Promise.all(
        storageIds.map(async (id) => [id, await readSettledParts(this.#root, id)] as const),
      ),
    );
    const parts = await this.parts();
    // In the order of their names, which is that of their times.
    this.#newest = new Map(parts.map(({ storageId, life }) => [storageId, life]));
    for (const part of parts) {
      if (this.#sizes.get(part.path) === part.sizeBytes) continue;
      this.#sizes.set(part.path, part.sizeBytes);
      for await (const line of readPart(this.#root, part)) {
        if ("record" in line && line.record.kind === "abort") this.#closed.add(keyOf(line.record));
      }
    }
  }

  /** An abort names none: ids are unique in the whole cluster. */
  #foreignGroup(record: JournalRecord): string | undefined {
    if (record.kind === "abort") return undefined;
    const group = record.kind === "put" ? record.file.group : record.group;
    return group === this.#group ? undefined : `it is of group ${group}`;
  }
}

/** As `s1/20261122T101500000Z-…`; see journal.ts. */
function beganAtMs(life: string): number {
  const time = /\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/.exec(life);
  if (time === null) return 0;
  const [, year, month, day, hour, minute, second, ms] = time;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}

function keyOf({ id, version }: { id: BlobId; version: number }): string {
  return `${id} ${version}`;
}
