import { type Alarm, type Clock, systemClock } from "@dsm/clock";
import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import { DsmError, type FileInfo, isExpired, limits } from "@dsm/protocol";
import type { GroupLease } from "../group-lease.ts";
import type { HealSource } from "../scrub/heal-source.ts";
import { moveFile, type MoveFileOptions } from "./move-file.ts";

/** What a mover has brought to its group. */
export interface MoveCounts {
  readonly files: number;
  readonly bytes: number;
}

export interface MoverOptions extends MoveFileOptions {
  readonly catalog: Pick<Catalog, "moves" | "filesElsewhere" | "groupOf">;
  /** The right to move, of which a group has one. */
  readonly lease: Pick<GroupLease, "whileHeld">;
  /** Those of that file's group who may have its bytes. */
  readonly sourcesOf: (file: FileInfo, signal: AbortSignal) => Promise<readonly HealSource[]>;
  /** limits.movePollMs unless given, for tests. */
  readonly pollMs?: number | undefined;
  /** Whether this storage takes writes; another member goes on where it does not. */
  readonly mayWrite: () => boolean;
  readonly onCounts?: (counts: MoveCounts) => void;
  readonly onFault?: (error: unknown) => void;
  readonly log: Log;
  readonly clock?: Clock;
}

/**
 * Fetches the files of users who were moved to this group from where they lie. Every member has
 * one; the one with the lease works. What is to be done stands in the catalog, so whatever ends
 * this process, it goes on: docs/design/2026-11-23-moving-users.md.
 */
export class Mover implements AsyncDisposable {
  readonly #options: MoverOptions;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #stopping = new AbortController();
  #alarm: Alarm | undefined;
  #round: Promise<void> | undefined;
  #heldUp: string | undefined;

  constructor(options: MoverOptions) {
    const { clock = systemClock, pollMs = limits.movePollMs } = options;
    this.#options = options;
    this.#clock = clock;
    this.#pollMs = pollMs;
  }

  /** Why something could not be moved in the last round; undefined where all could. */
  get heldUp(): string | undefined {
    return this.#heldUp;
  }

  start(): void {
    this.#later();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DsmError("DRAINING", "the storage stops"));
    this.#alarm?.cancel();
    await this.#round;
  }

  #later(): void {
    if (this.#stopping.signal.aborted) return;
    const restMs = this.#heldUp === undefined ? 1 : limits.moveRestFactor;
    this.#alarm = this.#clock.after(restMs * this.#pollMs, () => {
      this.#round = this.#takeTurn().then(() => this.#later());
    });
  }

  /** Never rejects. */
  async #takeTurn(): Promise<void> {
    const { catalog, group, lease, log, mayWrite } = this.#options;
    let heldUp: string | undefined;
    try {
      if (mayWrite() && (await catalog.moves({ to: group, limit: 1 })).length > 0) {
        await lease.whileHeld(this.#stopping.signal, async (signal) => {
          heldUp = await this.#moveAll(signal);
        });
      }
    } catch (err) {
      if (!this.#stopping.signal.aborted) {
        heldUp = DsmError.from(err, "moving users").message;
        log.warn({ err }, "move: round failed, tried again later");
      }
    }
    if (heldUp !== undefined && heldUp !== this.#heldUp) log.warn({ heldUp }, "move: held up");
    this.#heldUp = heldUp?.slice(0, limits.heldUpMaxChars);
  }

  /** @returns why some files stay where they are */
  async #moveAll(signal: AbortSignal): Promise<string | undefined> {
    const { catalog, group: to } = this.#options;
    const limit = limits.movePageMax;
    let heldUp: string | undefined;
    for (let after: { user: string; from: string } | undefined; ;) {
      const page = await catalog.moves({ to, limit, ...(after === undefined ? {} : { after }) });
      for (const user of new Set(page.map((move) => move.user))) {
        heldUp = (await this.#moveUser(user, signal)) ?? heldUp;
      }
      if (page.length < limit) return heldUp;
      after = page.at(-1);
    }
  }

  async #moveUser(user: string, signal: AbortSignal): Promise<string | undefined> {
    const { catalog, group, log } = this.#options;
    const limit = limits.movePageMax;
    const turn = new UserTurn(this.#options, signal);
    for (let after: string | undefined; ;) {
      // An operator may have sent the user elsewhere, or back.
      if ((await catalog.groupOf(user)) !== group) break;
      const query = { user, group, limit };
      const page = await catalog.filesElsewhere(after === undefined ? query : { ...query, after });
      await turn.moveSome(page);
      if (page.length < limit) break;
      after = page.at(-1)?.fileId;
    }
    const { files, bytes, heldUp } = turn;
    if (files > 0) log.info({ user, files, bytes, heldUp }, "move: files of a user came here");
    return heldUp;
  }
}

/** The files of one user, a few at a time. */
class UserTurn {
  files = 0;
  bytes = 0;
  heldUp: string | undefined;
  readonly #options: MoverOptions;
  readonly #signal: AbortSignal;

  constructor(options: MoverOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** @throws DsmError when no further file can be moved now */
  async moveSome(page: readonly FileInfo[]): Promise<void> {
    // The reaper of their group deletes those that have expired.
    const left = page.filter((file) => !isExpired(file, Date.now())).values();
    let failure: { error: unknown } | undefined;
    const workers = Array.from({ length: limits.movesAtOnceMax }, async () => {
      for (const file of left) {
        if (failure !== undefined) return;
        await this.#move(file).catch((error: unknown) => {
          failure ??= { error };
        });
      }
    });
    await Promise.all(workers);
    if (failure !== undefined) throw failure.error;
  }

  async #move(file: FileInfo): Promise<void> {
    const { sourcesOf, mayWrite, onCounts, onFault, log } = this.#options;
    this.#signal.throwIfAborted();
    if (!mayWrite()) throw new DsmError("DRAINING", "this storage takes no writes now");
    try {
      const sources = file.damage === undefined ? await sourcesOf(file, this.#signal) : [];
      if (file.damage !== undefined) throw damaged(file);
      if (!(await moveFile(file, sources, this.#options, this.#signal))) return;
      this.files++;
      this.bytes += file.sizeBytes;
      onCounts?.({ files: 1, bytes: file.sizeBytes });
    } catch (err) {
      this.#signal.throwIfAborted();
      const error = DsmError.from(err, "moving a file");
      if (!ofOneFile.has(error.code)) {
        onFault?.(err);
        throw error;
      }
      this.heldUp = error.message;
      const { user, fileId, group, blobId } = file;
      log.warn({ err, user, fileId, group, blobId }, "move: a file stays where it is");
    }
  }
}

/** What is wrong with one file, or with where it comes from: the others are moved all the same. */
const ofOneFile: ReadonlySet<string> = new Set(["DATA_CORRUPT", "GROUP_UNAVAILABLE"]);

function damaged({ user, fileId, group }: FileInfo): DsmError {
  const what = `${user}/${JSON.stringify(fileId)} is damaged in group ${group}`;
  return new DsmError("DATA_CORRUPT", what, { remedy: "see dsm scrub" });
}
