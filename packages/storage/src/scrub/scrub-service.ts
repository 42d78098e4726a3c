import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import type { ClusterSecret, MaintenanceLine } from "@dsm/protocol";
import { DamageMarks } from "../damage-marks.ts";
import { GroupMembers } from "./group-members.ts";
import { healSources } from "./heal-source.ts";
import { scrubJob } from "./scrub-job.ts";
import { type ScrubCounts, ScrubStateFile } from "./scrub-state.ts";
import { Scrubber } from "./scrubber.ts";

/** How often and how fast a storage reads all that its group has. */
export interface ScrubTerms {
  /** 0 scrubs only when an operator asks for it. */
  readonly scrubBytesPerSecond: number;
  /** From the end of a pass to the beginning of the next. */
  readonly scrubIntervalMs: number;
}

interface ScrubServiceOptions extends ScrubTerms {
  readonly id: string;
  readonly incarnation: string;
  readonly group: string;
  readonly root: string;
  readonly trackers: readonly string[];
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  readonly isBusy: () => boolean;
  readonly onCounts: (counts: ScrubCounts) => void;
  readonly assertMounted: () => Promise<void>;
  readonly log: Log;
}

/** All that a storage does about bytes that went bad: the marks, the scrub and its job. */
export class ScrubService implements AsyncDisposable {
  readonly marks: DamageMarks;
  readonly #options: ScrubServiceOptions;
  readonly #members: GroupMembers | undefined;
  readonly #scrubber: Scrubber | undefined;

  constructor(options: ScrubServiceOptions) {
    const { id: storageId, trackers, scrubBytesPerSecond, scrubIntervalMs } = options;
    this.#options = options;
    this.marks = new DamageMarks(options);
    // Of the workers of one storage only the one that beats scrubs.
    if (trackers.length === 0) return;
    const members = new GroupMembers({ ...options, storageId });
    const others = () => members.others();
    this.#members = members;
    this.#scrubber = new Scrubber({
      ...options,
      storageId,
      marks: this.marks,
      others,
      sourcesOf: (file, signal) => healSources(file, { ...options, others, signal }),
      bytesPerSecond: scrubBytesPerSecond,
      intervalMs: scrubIntervalMs,
    });
  }

  /** To be called once; what is marked is to be looked at before. */
  start(): void {
    this.marks.start();
    this.#scrubber?.start();
  }

  /** The job `scrub` of the maintenance plane. */
  job(params: unknown, signal: AbortSignal): AsyncGenerator<MaintenanceLine, void, undefined> {
    const { group, catalog, root, scrubBytesPerSecond, scrubIntervalMs } = this.#options;
    const options = {
      group,
      catalog,
      file: new ScrubStateFile(root),
      bytesPerSecond: scrubBytesPerSecond,
      intervalMs: scrubIntervalMs,
      nudge: () => void this.#scrubber?.takeTurn(),
    };
    return scrubJob(options, params, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scrubber?.[Symbol.asyncDispose]();
    await this.marks[Symbol.asyncDispose]();
    this.#members?.[Symbol.dispose]();
  }
}
