import type { Catalog, KnownBlob } from "@dsm/catalog";
import { markedGroup } from "@dsm/delivery";
import { crashPoint } from "@dsm/faults";
import type { Log } from "@dsm/log";
import { damagedPieces, DsmError, type FileInfo } from "@dsm/protocol";
import type { DamageMarks } from "../damage-marks.ts";
import { hasSidecar, pieceCount, type PieceSums } from "../piece-sums.ts";
import { readBlob, type Reading } from "./blob-reading.ts";
import { healPieces, healWhole } from "./heal.ts";
import { blobSource, type HealSource } from "./heal-source.ts";
import type { ScrubCounts } from "./scrub-state.ts";
import { readSidecar, writeSidecar } from "./sidecar-file.ts";
import { damageOf, type Verdict, verdictOf } from "./verdict.ts";

export interface ExaminerOptions {
  readonly root: string;
  readonly group: string;
  readonly catalog: Pick<Catalog, "rowsOf" | "current">;
  readonly marks: Pick<DamageMarks, "mark">;
  readonly log: Log;
  readonly sourcesOf: (file: FileInfo, signal: AbortSignal) => Promise<readonly HealSource[]>;
}

type Bad = Extract<Verdict, { kind: "bad" }>;
type Examined = Omit<ScrubCounts, "blobs" | "bytes">;

const nothing: Examined = { found: 0, healed: 0, missing: 0 };

/** Looks at one blob after the other, marks what is bad and heals what can be healed. */
export class Examiner {
  readonly #options: ExaminerOptions;

  constructor(options: ExaminerOptions) {
    this.#options = options;
  }

  /**
   * Once, and once more before anything bad is believed.
   * @throws DsmError STORAGE_FAILED where the group's file system does not answer, so that a mount
   * that is gone never makes all files look damaged; CATALOG_UNAVAILABLE
   */
  async examine(blob: KnownBlob, reading: Reading): Promise<Examined> {
    const { file } = blob;
    const first = await this.#look(file, reading);
    if (first.kind === "sound") return this.#sound(blob, first, reading);
    const second = await this.#look(file, reading);
    if (second.kind === "sound") {
      const { blobId } = file;
      this.#options.log.warn({ blobId, first }, "scrub: a blob was bad once, and is good now");
      return this.#sound(blob, second, reading);
    }
    await this.#assertMounted();
    if (!(await this.#isStillKnown(file))) return nothing;
    if (second.kind === "missing") return this.#missing(blob);
    return this.#bad(file, second, reading);
  }

  async #look(file: FileInfo, reading: Reading): Promise<Verdict> {
    const { root } = this.#options;
    const sums = await readSidecar(root, file);
    const read = await readBlob(root, file, reading);
    return verdictOf(file, read, typeof sums === "string" ? undefined : sums);
  }

  /**
   * A sidecar that is lost or damaged is made anew, but not in the trash, where the reaper may
   * take the blob away meanwhile. A mark goes when what is good here was written again: another
   * brick of a replicated file system may still have what was bad.
   */
  async #sound(blob: KnownBlob, { sums }: { sums: PieceSums }, reading: Reading) {
    const { root, marks, log } = this.#options;
    const { file } = blob;
    const isWanted = hasSidecar(file) && blob.state === "live";
    if (isWanted && typeof (await readSidecar(root, file)) === "string") {
      await writeSidecar(root, file, sums);
      log.info({ blobId: file.blobId }, "scrub: checksums of pieces written anew");
    }
    if (file.damage === undefined) return nothing;
    const pieces = damagedPieces(file.damage, pieceCount(file.sizeBytes));
    const sources = [blobSource(root, file.blobId, log)];
    await healPieces(file, pieces, sums, { root, sources, reading });
    const again = await this.#look(file, reading);
    if (again.kind !== "sound") return nothing;
    await marks.mark(file.blobId, undefined);
    log.info(nameOf(file), "scrub: a damaged file is sound again");
    return { ...nothing, healed: pieces.length };
  }

  /** A blob in the trash may be unlinked before the catalog hears of it; only live ones count. */
  async #missing({ file, state }: KnownBlob): Promise<Examined> {
    const current = await this.#options.catalog.current(file.user, file.fileId);
    if (state === "trash" || current?.file?.blobId !== file.blobId) return nothing;
    this.#options.log.error(nameOf(file), "scrub: the blob of a file is missing; see dsm fsck");
    return { ...nothing, missing: 1 };
  }

  async #bad(file: FileInfo, verdict: Bad, reading: Reading): Promise<Examined> {
    const { marks, log } = this.#options;
    const damage = damageOf(verdict);
    const isNew = file.damage !== damage;
    if (isNew) {
      await marks.mark(file.blobId, damage);
      log.error({ ...nameOf(file), damage }, "scrub: a file is damaged, and is not served there");
    }
    const found = isNew ? badCount(file, verdict.pieces) : 0;
    return { missing: 0, found, healed: await this.#heal(file, verdict, damage, reading) };
  }

  /** @returns how many pieces are good again */
  async #heal(file: FileInfo, verdict: Bad, damage: string, reading: Reading): Promise<number> {
    const { marks, log } = this.#options;
    if (!(await this.#overwrite(file, verdict, reading))) return 0;
    crashPoint("heal.written");
    // From the disk again, all of it: what was written is believed no more than what was there.
    const after = await this.#look(file, reading);
    if (after.kind === "missing") return 0;
    crashPoint("heal.checked");
    const before = badCount(file, verdict.pieces);
    if (after.kind === "bad") {
      const left = damageOf(after);
      if (left !== damage) await marks.mark(file.blobId, left);
      return Math.max(0, before - badCount(file, after.pieces));
    }
    await marks.mark(file.blobId, undefined);
    log.info({ ...nameOf(file), damage }, "scrub: healed");
    return before;
  }

  /** Whether anything was written. */
  async #overwrite(file: FileInfo, { pieces }: Bad, reading: Reading): Promise<boolean> {
    const { root, sourcesOf } = this.#options;
    const sources = await sourcesOf(file, reading.signal);
    if (sources.length === 0) return false;
    const sums = await readSidecar(root, file);
    if (pieces === undefined || typeof sums === "string") {
      return healWhole(file, { root, sources, reading });
    }
    return (await healPieces(file, pieces, sums, { root, sources, reading })) > 0;
  }

  async #isStillKnown({ blobId }: FileInfo): Promise<boolean> {
    return (await this.#options.catalog.rowsOf([blobId])).length > 0;
  }

  /** @throws DsmError STORAGE_FAILED */
  async #assertMounted(): Promise<void> {
    const { root, group } = this.#options;
    if ((await markedGroup(root)) === group) return;
    throw new DsmError("STORAGE_FAILED", `${root} does not hold the marker of group ${group}`, {
      remedy: `see whether the file system of group ${group} is mounted and healthy`,
    });
  }
}

function badCount(file: FileInfo, pieces: readonly number[] | undefined): number {
  return pieces?.length ?? Math.max(1, pieceCount(file.sizeBytes));
}

function nameOf({ user, fileId, blobId }: FileInfo) {
  return { user, fileId, blobId };
}
