import type { Catalog } from "@dsm/catalog";
import { type Alarm, type Clock, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import { type BlobId, DsmError, limits, type StorageAddress } from "@dsm/protocol";
import type { DamageMarks } from "../damage-marks.ts";
import { Examiner, type ExaminerOptions } from "./examiner.ts";
import { GroupLease } from "../group-lease.ts";
import { Pace } from "./pace.ts";
import { removeOldDrafts } from "./replace-file.ts";
import { runPass } from "./scrub-pass.ts";
import {
  type ScrubCounts,
  type ScrubPass,
  type ScrubState,
  ScrubStateFile,
  type ScrubWish,
} from "./scrub-state.ts";

export interface ScrubberOptions {
  readonly storageId: string;
  readonly incarnation: string;
  readonly group: string;
  readonly root: string;
  readonly catalog: Pick<Catalog, "blobs" | "damaged" | "rowsOf" | "current" | "usageOfGroup">;
  readonly marks: Pick<DamageMarks, "mark" | "count">;
  /** The other members of the group that are online. */
  readonly others: () => Promise<readonly StorageAddress[]>;
  readonly sourcesOf: ExaminerOptions["sourcesOf"];
  /** 0 scrubs only when an operator asks for it. */
  readonly bytesPerSecond: number;
  /** From the end of a pass to the beginning of the next. */
  readonly intervalMs: number;
  /** Whether readers and writers need the disk more. */
  readonly isBusy: () => boolean;
  readonly onCounts?: (counts: ScrubCounts) => void;
  /** @throws DsmError STORAGE_FAILED when the group's file system is not there */
  readonly assertMounted?: () => Promise<void>;
  readonly log: Log;
  readonly clock?: Clock;
}

/** For a pass that an operator asks for where no rate is configured. */
const defaultBytesPerSecond = 20 * 1024 * 1024;

/**
 * Reads everything of the group now and then, as one of its members: the one that has the lease.
 * docs/design/2026-11-23-scrub.md
 */
export class Scrubber implements AsyncDisposable {
  readonly #options: ScrubberOptions;
  readonly #clock: Clock;
  readonly #file: ScrubStateFile;
  readonly #lease: GroupLease;
  readonly #pace: Pace;
  readonly #examiner: Examiner;
  readonly #stopping = new AbortController();
  /** What the pass under way was told to keep to. */
  #wishedRate: number | undefined;
  /** Since when it is known that a pass is due which others may begin before this storage does. */
  #dueSinceMs: number | undefined;
  #alarm: Alarm | undefined;
  #turn: Promise<void> | undefined;
  #failure: string | undefined;

  constructor(options: ScrubberOptions) {
    const { root, bytesPerSecond, isBusy, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#file = new ScrubStateFile(root);
    this.#lease = new GroupLease({ ...options, leaseMs: limits.scrubLeaseMs, clock });
    this.#pace = new Pace({
      clock,
      bytesPerSecond: () => this.#wishedRate ?? (bytesPerSecond || defaultBytesPerSecond),
      isBusy,
    });
    this.#examiner = new Examiner(options);
  }

  start(): void {
    this.#later();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DsmError("DRAINING", "the storage stops"));
    this.#alarm?.cancel();
    await this.#turn;
  }

  /** Looks whether there is something to do, and does it. Never rejects. */
  takeTurn(): Promise<void> {
    return (this.#turn ??= this.#takeTurn().finally(() => (this.#turn = undefined)));
  }

  #later(): void {
    if (this.#stopping.signal.aborted) return;
    this.#alarm = this.#clock.after(
      limits.scrubPollMs,
      () => void this.takeTurn().then(() => this.#later()),
    );
  }

  async #takeTurn(): Promise<void> {
    try {
      if (await this.#isDue()) {
        await this.#lease.whileHeld(this.#stopping.signal, (signal) => this.#work(signal));
      }
      this.#failure = undefined;
    } catch (err) {
      if (this.#stopping.signal.aborted) return;
      const { message } = DsmError.from(err, "scrub");
      if (message !== this.#failure) {
        this.#options.log.warn({ err }, "scrub: interrupted, goes on when it can");
      }
      this.#failure = message;
    }
  }

  /** Whoever made the last pass leaves the next to others, so that other bricks are read. */
  async #isDue(): Promise<boolean> {
    const state = await this.#file.read();
    const wish = await this.#file.readWish();
    if (this.#resumes(state, wish) || this.#rechecks(state)) return true;
    if (!this.#begins(state, wish)) {
      this.#dueSinceMs = undefined;
      return false;
    }
    const nowMs = this.#clock.monotonicMs();
    this.#dueSinceMs ??= nowMs;
    if (state.last?.by !== this.#options.storageId) return true;
    if (nowMs - this.#dueSinceMs >= limits.scrubTurnMs) return true;
    return (await this.#options.others()).length === 0;
  }

  #resumes({ pass }: ScrubState, wish: ScrubWish | undefined): boolean {
    if (pass === undefined) return false;
    const wasAskedFor = wish !== undefined || pass.bytesPerSecond !== undefined;
    return this.#options.bytesPerSecond > 0 || wasAskedFor;
  }

  #begins({ last }: ScrubState, wish: ScrubWish | undefined): boolean {
    const { bytesPerSecond, intervalMs } = this.#options;
    if (wish !== undefined) return true;
    if (bytesPerSecond === 0) return false;
    return last === undefined || this.#clock.now() >= last.endedAtMs + intervalMs;
  }

  /** A file that could not be healed may be later, when another member is back. */
  #rechecks({ recheckedAtMs = 0 }: ScrubState): boolean {
    const { bytesPerSecond, marks } = this.#options;
    if (bytesPerSecond === 0 || marks.count === 0) return false;
    return this.#clock.now() >= recheckedAtMs + limits.scrubRecheckMs;
  }

  /** What is due, as it is known now that nobody else may do it. */
  async #work(signal: AbortSignal): Promise<void> {
    await removeOldDrafts(this.#options.root);
    const state = await this.#file.read();
    const wish = await this.#file.readWish();
    if (this.#rechecks(state)) await this.#recheck(state, signal);
    if (this.#resumes(state, wish) || this.#begins(state, wish)) {
      await this.#pass(await this.#file.read(), wish, signal);
    }
  }

  /** @returns when every blob that is marked was looked at again */
  async #recheck(state: ScrubState, signal: AbortSignal): Promise<void> {
    const { catalog, group } = this.#options;
    const pace = (bytes: number) => this.#pace.take(bytes, signal);
    let after: BlobId | undefined;
    do {
      const limit = limits.listMax;
      const page = await catalog.damaged({ group, limit, ...(after && { after }) });
      for (const blob of page) this.#count(await this.#examiner.examine(blob, { signal, pace }));
      after = page.length < limit ? undefined : page.at(-1)?.file.blobId;
    } while (after !== undefined);
    await this.#file.write({ ...state, recheckedAtMs: this.#clock.now() });
  }

  async #pass(state: ScrubState, wish: ScrubWish | undefined, signal: AbortSignal): Promise<void> {
    const { storageId, group, catalog, log } = this.#options;
    const begun = state.pass ?? (await this.#newPass(state));
    const rate = wish?.bytesPerSecond ?? begun.bytesPerSecond;
    const mine: ScrubPass = { ...begun, by: storageId, ...(rate && { bytesPerSecond: rate }) };
    this.#wishedRate = rate;
    // First the pass, then the wish: a crash between the two costs one pass more and loses none.
    await this.#file.write({ ...state, pass: mine });
    await this.#file.forgetWish();
    log.info({ pass: mine.number, after: mine.after }, "scrub: a pass goes on");
    try {
      const {
        after: _after,
        readingBytes: _bytes,
        ...done
      } = await runPass(mine, {
        group,
        catalog,
        examiner: this.#examiner,
        pace: this.#pace,
        clock: this.#clock,
        save: (pass) => this.#save(state, pass),
        onBlob: (counts) => this.#count(counts),
        signal,
      });
      const { pass: _pass, ...rest } = state;
      const last = { ...done, endedAtMs: this.#clock.now() };
      await this.#file.write({ ...rest, last });
      log.info(last, "scrub: a pass is done");
    } finally {
      this.#wishedRate = undefined;
      this.#dueSinceMs = undefined;
    }
  }

  /** Keeps the place, and takes up what an operator wishes of the pass under way. */
  async #save(state: ScrubState, pass: ScrubPass): Promise<void> {
    const wish = await this.#file.readWish();
    const rate = wish?.bytesPerSecond ?? this.#wishedRate;
    this.#wishedRate = rate;
    await this.#file.write({ ...state, pass: { ...pass, ...(rate && { bytesPerSecond: rate }) } });
    if (wish !== undefined) await this.#file.forgetWish();
  }

  async #newPass({ last }: ScrubState): Promise<Omit<ScrubPass, "by"> & { by: string }> {
    const { group, catalog, storageId } = this.#options;
    const { liveBytes, trashBytes } = await catalog.usageOfGroup(group);
    return {
      number: (last?.number ?? 0) + 1,
      startedAtMs: this.#clock.now(),
      by: storageId,
      totalBytes: liveBytes + trashBytes,
      blobs: 0,
      bytes: 0,
      found: 0,
      healed: 0,
      missing: 0,
    };
  }

  #count(counts: Partial<ScrubCounts>): void {
    this.#options.onCounts?.({ blobs: 0, bytes: 0, found: 0, healed: 0, missing: 0, ...counts });
  }
}
