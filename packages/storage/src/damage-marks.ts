import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import { type BlobId, type FileInfo, limits } from "@dsm/protocol";

interface DamageMarksOptions {
  readonly group: string;
  readonly catalog: Pick<Catalog, "damaged" | "markDamage" | "rowsOf">;
  readonly log: Log;
}

/** Of the time that a look takes, so many times as much passes until the next one. */
const restFactor = 20;

/**
 * Which blobs of the group are marked as damaged. Readers come with capabilities that name a
 * version as it was known minutes or hours ago, so each storage looks at the marks itself, once a
 * second. While the catalog is down it goes by what it knew before.
 */
export class DamageMarks implements AsyncDisposable {
  readonly #options: DamageMarksOptions;
  #marks = new Map<BlobId, string>();
  /** There are more than are kept in memory, so the catalog is asked for each of the others. */
  #isPartial = false;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #failed = false;
  #stopped = false;

  constructor(options: DamageMarksOptions) {
    this.#options = options;
  }

  /** Damaged blobs of the group, as far as they are kept in memory. */
  get count(): number {
    return this.#marks.size;
  }

  /** From now on it looks every second. */
  start(): void {
    this.#later(limits.damageFreshnessMs);
  }

  /** The file with the mark that it has now. */
  async current(file: FileInfo): Promise<FileInfo> {
    const damage = this.#marks.get(file.blobId);
    if (damage === file.damage && !this.#isPartial) return file;
    if (damage !== undefined) return damage === file.damage ? file : { ...file, damage };
    // It was healed, or was marked a moment ago by somebody else.
    const [row] = await this.#options.catalog.rowsOf([file.blobId]).catch(() => []);
    if (row === undefined || row.damage === file.damage) return file;
    const { damage: _old, ...rest } = file;
    return row.damage === undefined ? rest : { ...rest, damage: row.damage };
  }

  /** @throws DsmError CATALOG_UNAVAILABLE */
  async mark(blobId: BlobId, damage: string | undefined): Promise<void> {
    // Before the catalog has it: nothing bad is served meanwhile, and a mark that goes goes later.
    if (damage !== undefined) this.#marks.set(blobId, damage);
    await this.#options.catalog.markDamage(blobId, damage);
    // A look that began before this one must not bring back what was so then.
    await this.#looking;
    if (damage === undefined) this.#marks.delete(blobId);
    else this.#marks.set(blobId, damage);
  }

  /** Never rejects. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #later(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#lookAgain(), delayMs);
    this.#timer.unref();
  }

  async #lookAgain(): Promise<void> {
    const startedAtMs = performance.now();
    await this.look();
    const tookMs = performance.now() - startedAtMs;
    this.#later(Math.max(limits.damageFreshnessMs, restFactor * tookMs));
  }

  async #look(): Promise<void> {
    const { group, catalog, log } = this.#options;
    try {
      const marks = new Map<BlobId, string>();
      let after: BlobId | undefined;
      do {
        const limit = limits.listMax;
        const page = await catalog.damaged({ group, limit, ...(after && { after }) });
        for (const { file } of page) marks.set(file.blobId, file.damage ?? "*");
        after = page.length < limit ? undefined : page.at(-1)?.file.blobId;
      } while (after !== undefined && marks.size < limits.damageMarksMax);
      this.#marks = marks;
      this.#isPartial = after !== undefined;
      this.#failed = false;
    } catch (err) {
      if (!this.#failed) log.warn({ err }, "damage: marks cannot be read, the known ones hold");
      this.#failed = true;
    }
  }
}
