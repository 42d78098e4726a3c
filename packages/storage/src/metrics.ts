import { Counter, Gauge, Registry } from "prom-client";
import type { OrphanCounts } from "./fsck/orphan-round.ts";
import type { MoveCounts } from "./move/mover.ts";
import type { ReapCounts } from "./reap-round.ts";
import type { ScrubCounts } from "./scrub/scrub-state.ts";

/**
 * THE table of a storage's metrics. One set a storage, since several may live in one process; units
 * stand in the names, as Prometheus has them.
 */
export class StorageMetrics {
  readonly #registry = new Registry();
  readonly #in = { registers: [this.#registry] };

  readonly #uploads = new Counter({
    ...this.#in,
    name: "dsm_storage_uploads_total",
    help: "Uploads that were acknowledged here.",
  });
  readonly #uploadedBytes = new Counter({
    ...this.#in,
    name: "dsm_storage_uploaded_bytes_total",
    help: "Their bytes.",
  });
  readonly #scrubbedBlobs = new Counter({
    ...this.#in,
    name: "dsm_storage_scrubbed_blobs_total",
    help: "Blobs that this storage has read in passes of the scrub.",
  });
  readonly #scrubbedBytes = new Counter({
    ...this.#in,
    name: "dsm_storage_scrubbed_bytes_total",
    help: "Their bytes.",
  });
  readonly #found = new Counter({
    ...this.#in,
    name: "dsm_storage_scrub_bad_pieces_total",
    help: "Pieces of blobs that this storage has found to be damaged.",
  });
  readonly #healed = new Counter({
    ...this.#in,
    name: "dsm_storage_scrub_healed_pieces_total",
    help: "Damaged pieces that are good again.",
  });
  readonly #missing = new Counter({
    ...this.#in,
    name: "dsm_storage_scrub_missing_blobs_total",
    help: "Blobs of live files that a pass did not find.",
  });
  readonly #expired = new Counter({
    ...this.#in,
    name: "dsm_storage_expired_files_total",
    help: "Files that had expired and that this storage has deleted.",
  });
  readonly #reapedBlobs = new Counter({
    ...this.#in,
    name: "dsm_storage_reaped_blobs_total",
    help: "Blobs that this storage has unlinked when their time in the trash was over.",
  });
  readonly #reapedBytes = new Counter({
    ...this.#in,
    name: "dsm_storage_reaped_bytes_total",
    help: "Their bytes.",
  });
  readonly #orphanBlobs = new Counter({
    ...this.#in,
    name: "dsm_storage_orphan_blobs_total",
    help: "Blobs that uploads had left without a row, and that this storage has unlinked by itself.",
  });
  readonly #orphanBytes = new Counter({
    ...this.#in,
    name: "dsm_storage_orphan_bytes_total",
    help: "Their bytes.",
  });
  readonly #movedFiles = new Counter({
    ...this.#in,
    name: "dsm_storage_moved_files_total",
    help: "Files that this storage has fetched from other groups, of users who moved to its own.",
  });
  readonly #movedBytes = new Counter({
    ...this.#in,
    name: "dsm_storage_moved_bytes_total",
    help: "Their bytes.",
  });
  readonly damaged: Gauge;

  /** @param damagedNow how many files of the group are marked */
  constructor(damagedNow: () => number) {
    this.damaged = new Gauge({
      ...this.#in,
      name: "dsm_storage_damaged_files",
      help: "Files of the group, live or in the trash, that are damaged now.",
      collect() {
        this.set(damagedNow());
      },
    });
  }

  onUploaded(sizeBytes: number): void {
    this.#uploads.inc();
    this.#uploadedBytes.inc(sizeBytes);
  }

  onScrubbed({ blobs, bytes, found, healed, missing }: ScrubCounts): void {
    this.#scrubbedBlobs.inc(blobs);
    this.#scrubbedBytes.inc(bytes);
    this.#found.inc(found);
    this.#healed.inc(healed);
    this.#missing.inc(missing);
  }

  onReaped({ expired, blobs, bytes }: ReapCounts): void {
    this.#expired.inc(expired);
    this.#reapedBlobs.inc(blobs);
    this.#reapedBytes.inc(bytes);
  }

  onOrphans({ blobs, bytes }: OrphanCounts): void {
    this.#orphanBlobs.inc(blobs);
    this.#orphanBytes.inc(bytes);
  }

  onMoved({ files, bytes }: MoveCounts): void {
    this.#movedFiles.inc(files);
    this.#movedBytes.inc(bytes);
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
