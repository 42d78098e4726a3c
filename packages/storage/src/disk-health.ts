import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "@dsm/log";
import { DsmError, limits } from "@dsm/protocol";
import { diskError } from "./disk-error.ts";

interface DiskHealthOptions {
  readonly root: string;
  readonly storageId: string;
  readonly log: Log;
  /** Looks whether the file system is there: a bare folder would take the probe. */
  readonly assertMounted?: () => Promise<void>;
  /** What else has to take writes: a file that was open may be lost with the mount below it. */
  readonly alsoTry?: () => Promise<void>;
  /** Told of every change, so that trackers hear of it at once. */
  readonly onChange?: () => void;
}

/** `full` by what a write met, whatever statfs says; `failing` is every other failed write. */
type Ill = "full" | "failing";

const probeBytes = 4_096;

/**
 * Whether the group file system takes writes. The first one that it refuses makes the storage say
 * no to all that follow, at once and with the reason; a small file that is written, synced and
 * removed each second tells when it is well again.
 */
export class DiskHealth implements AsyncDisposable {
  readonly #options: DiskHealthOptions;
  readonly #probePath: string;
  #illness: { readonly kind: Ill; readonly why: DsmError } | undefined;
  #timer: Timer | undefined;
  #probing: Promise<void> | undefined;

  constructor(options: DiskHealthOptions) {
    this.#options = options;
    this.#probePath = join(options.root, `.dsm-probe-${options.storageId}`);
  }

  get isFull(): boolean {
    return this.#illness?.kind === "full";
  }

  get isFailing(): boolean {
    return this.#illness?.kind === "failing";
  }

  /** To be told of whatever a write has failed with; other errors than those of the disk pass. */
  note(error: unknown): void {
    if (!(error instanceof DsmError)) return;
    if (error.code === "STORAGE_FULL") this.#become("full", error);
    else if (error.code === "STORAGE_FAILED") this.#become("failing", error);
  }

  /** @throws DsmError STORAGE_FULL or STORAGE_FAILED with what the disk said */
  assertWritable(): void {
    if (this.#illness === undefined) return;
    const { kind, why } = this.#illness;
    const { code, remedy } = why;
    const what = kind === "full" ? "is full" : "cannot write to its disk";
    throw new DsmError(code, `storage ${this.#options.storageId} ${what}: ${why.message}`, {
      remedy,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#probing;
  }

  #become(kind: Ill, why: DsmError): void {
    const { log, root, onChange } = this.#options;
    const before = this.#illness?.kind;
    this.#illness = { kind, why };
    if (before === kind) return;
    log.error({ root, state: kind, err: why }, "disk: no more writes until a probe succeeds");
    this.#timer ??= setInterval(() => this.#probeNow(), limits.diskProbeIntervalMs);
    this.#timer.unref();
    onChange?.();
  }

  #recover(): void {
    const { log, root, onChange } = this.#options;
    this.#illness = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    log.info({ root }, "disk: takes writes again");
    onChange?.();
  }

  /** One at a time: a mount that hangs holds up one probe, and not one more each second. */
  #probeNow(): void {
    this.#probing ??= this.#probe()
      .then(
        () => this.#recover(),
        (cause: unknown) => this.note(diskError("a probe cannot be written", cause)),
      )
      .finally(() => (this.#probing = undefined));
  }

  async #probe(): Promise<void> {
    await this.#options.assertMounted?.();
    try {
      await using file = await open(this.#probePath, "w", 0o600);
      await file.writeFile(new Uint8Array(probeBytes));
      await file.sync();
    } finally {
      await rm(this.#probePath, { force: true });
    }
    await this.#options.alsoTry?.();
  }
}
