import { systemClock } from "@dsm/clock";
import { limits } from "@dsm/protocol";
import type { FsckOptions } from "./fsck/scope.ts";
import { GroupLease } from "./group-lease.ts";
import type { StorageMetrics } from "./metrics.ts";
import { OrphanReaper } from "./orphan-reaper.ts";
import { Reaper, type ReaperOptions } from "./reaper.ts";
import type { StorageOptions } from "./storage-options.ts";

type ReapersOptions = Pick<ReaperOptions, "blobs" | "ids" | "committer" | "isBusy"> &
  StorageOptions & {
    readonly incarnation: string;
    readonly assertMounted: () => Promise<void>;
    readonly upkeep: FsckOptions;
    readonly metrics: StorageMetrics;
  };

/** All that gives space back by itself: of the trash, and of uploads that were cut off. */
export class Reapers implements AsyncDisposable {
  readonly #trash: Reaper;
  readonly #orphans: OrphanReaper;

  constructor(options: ReapersOptions) {
    const { metrics, upkeep, id: storageId } = options;
    const ofGroup = { ...options, storageId, leaseMs: limits.reapLeaseMs, clock: systemClock };
    this.#trash = new Reaper({
      ...options,
      lease: new GroupLease({ ...ofGroup, name: "reap-lease" }),
      onCounts: (counts) => metrics.onReaped(counts),
    });
    this.#orphans = new OrphanReaper({
      ...options,
      ...upkeep,
      lease: new GroupLease({ ...ofGroup, name: "orphan-lease" }),
      onCounts: (counts) => metrics.onOrphans(counts),
    });
  }

  start(): void {
    this.#trash.start();
    this.#orphans.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash[Symbol.asyncDispose]();
    await this.#orphans[Symbol.asyncDispose]();
  }
}
