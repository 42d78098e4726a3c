import type { Catalog } from "@dsm/catalog";
import { limits, softwareVersion } from "@dsm/protocol";
import { type OnProgress, Steps } from "../progress.ts";
import { backupFormat, type BackupRow, type Counts, type Header } from "./format.ts";

type Snapshot = Parameters<Parameters<Catalog["snapshot"]>[0]>[0];

export interface BackupOptions {
  /** Takes the bytes in order; what it awaits holds the backup back. */
  readonly write: (chunk: Buffer) => Promise<void>;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

export interface BackupResult extends Counts {
  readonly createdAtMs: number;
  readonly sha256: string;
}

/**
 * Writes the whole catalog as it is at one moment, while the cluster goes on writing, in flat
 * memory.
 * @throws DsmError CATALOG_UNAVAILABLE, and whatever `write` throws
 */
export function writeBackup(catalog: Catalog, options: BackupOptions): Promise<BackupResult> {
  return catalog.snapshot((at) => new BackupWriter(options).write(at));
}

class BackupWriter {
  readonly #options: BackupOptions;
  readonly #steps: Steps;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #counts = { segments: 0, groups: 0, users: 0, versions: 0 };

  constructor(options: BackupOptions) {
    this.#options = options;
    this.#steps = new Steps(options.onProgress);
  }

  async write(at: Snapshot): Promise<BackupResult> {
    const createdAtMs = Date.now();
    const header: Header = { dsmBackup: backupFormat, softwareVersion, createdAtMs };
    await this.#lines([header]);
    this.#steps.begin("writing the backup", 0, "records");
    const segments = await at.segments();
    await this.#lines(segments.map((segment): BackupRow => ({ segment })));
    this.#counts.segments = segments.length;
    const groups = await at.groups();
    await this.#lines(groups.map((group): BackupRow => ({ group })));
    this.#counts.groups = groups.length;
    await this.#users(at);
    await this.#versions(at);
    this.#steps.end();
    const sha256 = this.#hasher.copy().digest("hex");
    await this.#lines([{ end: { ...this.#counts, sha256 } }]);
    return { ...this.#counts, createdAtMs, sha256 };
  }

  async #users(at: Snapshot): Promise<void> {
    for (let after: string | undefined; ;) {
      const page = { limit: limits.listMax, ...(after === undefined ? {} : { after }) };
      const users = await at.users(page);
      await this.#lines(users.map((user): BackupRow => ({ user })));
      this.#counts.users += users.length;
      if (users.length < limits.listMax) return;
      after = users.at(-1)?.name;
    }
  }

  async #versions(at: Snapshot): Promise<void> {
    let after: { user: string; fileId: string; version: number } | undefined;
    for (;;) {
      const page = { limit: limits.listMax, ...(after === undefined ? {} : { after }) };
      const versions = await at.versions(page);
      await this.#lines(versions.map((version): BackupRow => ({ version })));
      this.#counts.versions += versions.length;
      after = versions.at(-1);
      if (versions.length < limits.listMax) return;
    }
  }

  async #lines(values: readonly unknown[]): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (values.length === 0) return;
    const chunk = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
    this.#hasher.update(chunk);
    await this.#options.write(chunk);
    this.#steps.advance(values.length);
  }
}
