import type { CatalogLoad, GroupRow, UserRow, VersionRow } from "@dsm/catalog";
import { limits } from "@dsm/protocol";
import { passedOver } from "../next-id.ts";
import { type OnProgress, Steps } from "../progress.ts";
import type { BackupSource } from "./backup-source.ts";
import { type BackupRow, badBackup, type SegmentRow } from "./format.ts";
import { BackupReader, type BackupSummary } from "./read-backup.ts";

export interface RestoreOptions {
  readonly source: BackupSource;
  /**
   * Opens the catalog, once the backup is known to be whole.
   * @param job names this very backup, so that half of it is only gone on with by the same one
   */
  readonly openLoad: (job: string) => Promise<CatalogLoad>;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

const jobSha256Chars = 40;

/**
 * Reads the backup twice: once to check all of it, and again to write its rows. May be done
 * again after it was cut off. The counters of ids are moved on, for ids were leased after the
 * backup was made.
 * @throws DsmError DATA_CORRUPT before anything is written; CONFLICT for a catalog that is not
 * empty; CATALOG_UNAVAILABLE
 */
export async function restoreBackup(options: RestoreOptions): Promise<BackupSummary> {
  const { source, openLoad, signal } = options;
  const steps = new Steps(options.onProgress);
  const checked = await checkBackup(options, steps);
  await using load = await openLoad(`restore ${checked.sha256.slice(0, jobSha256Chars)}`);
  const { segments, groups, users, versions } = checked;
  steps.begin("writing rows", segments + groups + users + versions, "records");
  const reader = new BackupReader(source.shown);
  const batch = new Batch(load, steps);
  for await (const chunk of source.bytes(() => {})) {
    signal.throwIfAborted();
    for (const row of reader.rows(chunk)) {
      batch.add(row);
      if (batch.isFull) await batch.write();
    }
  }
  await batch.write();
  if (reader.end().sha256 !== checked.sha256) {
    throw badBackup(source.shown, "it was changed while it was being restored");
  }
  await load.finish(checked.header.createdAtMs);
  steps.end();
  return checked;
}

async function checkBackup(options: RestoreOptions, steps: Steps): Promise<BackupSummary> {
  const { source, signal } = options;
  steps.begin("checking the backup", await source.size(), "bytes");
  const reader = new BackupReader(source.shown);
  for await (const chunk of source.bytes((bytes) => steps.advance(bytes))) {
    signal.throwIfAborted();
    for (const row of reader.rows(chunk)) void row;
  }
  steps.end();
  return reader.end();
}

class Batch {
  readonly #load: CatalogLoad;
  readonly #steps: Steps;
  #groups: GroupRow[] = [];
  #users: UserRow[] = [];
  #versions: VersionRow[] = [];
  #segments: SegmentRow[] = [];

  constructor(load: CatalogLoad, steps: Steps) {
    this.#load = load;
    this.#steps = steps;
  }

  get isFull(): boolean {
    return this.#size >= limits.catalogLoadRowsMax;
  }

  add(row: BackupRow): void {
    if ("version" in row) this.#versions.push(row.version);
    else if ("user" in row) this.#users.push(row.user);
    else if ("group" in row) this.#groups.push(row.group);
    else this.#segments.push({ ...row.segment, next: passedOver(row.segment.next) });
  }

  async write(): Promise<void> {
    const size = this.#size;
    if (size === 0) return;
    const [groups, users] = [this.#groups, this.#users];
    const [versions, segments] = [this.#versions, this.#segments];
    [this.#groups, this.#users, this.#versions, this.#segments] = [[], [], [], []];
    await this.#load.add({ groups, users, versions, segments });
    this.#steps.advance(size);
  }

  get #size(): number {
    return this.#groups.length + this.#users.length + this.#versions.length + this.#segments.length;
  }
}
