import type { FileHandle } from "node:fs/promises";
import { DsmError, limits } from "@dsm/protocol";
import { diskError } from "./disk-error.ts";
import type { GroupSync } from "./sync/group-sync.ts";

/** How a blob's own bytes become durable. */
export type BlobSync = Pick<GroupSync, "blobsSyncThemselves" | "blobSyncEveryBytes">;

/**
 * A blob that is being written. Either `finish` or `close` ends it; what it has written is removed
 * by its store.
 */
export class BlobWriter {
  readonly #shown: string;
  readonly #file: FileHandle;
  readonly #sync: BlobSync;
  readonly #writePieces: (bytes: Uint8Array) => Promise<void>;
  readonly #pauseMaxMs: number;
  #writtenAtMs = performance.now();
  #unsyncedBytes = 0;
  #isLarge = false;
  #early: Promise<void> = Promise.resolve();
  /** What an early sync has told. The kernel tells it once, so a later sync would succeed. */
  #earlyFailure: unknown;

  /**
   * Use BlobStore.create.
   * @param pauseMaxMs after so long without a write the blob is given up
   */
  constructor(
    shown: string,
    file: FileHandle,
    sync: BlobSync,
    writePieces: (bytes: Uint8Array) => Promise<void>,
    pauseMaxMs: number = limits.blobPauseMaxMs,
  ) {
    this.#shown = shown;
    this.#file = file;
    this.#sync = sync;
    this.#writePieces = writePieces;
    this.#pauseMaxMs = pauseMaxMs;
  }

  /** @throws DsmError STORAGE_FULL or STORAGE_FAILED; TIMEOUT behind a pause that was too long */
  async write(chunk: Uint8Array): Promise<void> {
    this.#assertFresh();
    this.#writtenAtMs = performance.now();
    try {
      // write(2) may take less than it was given, on a full disk above all.
      for (let offset = 0; offset < chunk.length;) {
        const { bytesWritten } = await this.#file.write(chunk, offset, chunk.length - offset);
        offset += bytesWritten;
      }
      this.#unsyncedBytes += chunk.length;
      if (this.#unsyncedBytes >= (this.#sync.blobSyncEveryBytes ?? Infinity)) {
        await this.#syncEarly();
      }
    } catch (cause) {
      throw diskError(`${this.#shown} cannot be written`, cause);
    }
  }

  /**
   * The bytes are durable when this resolves, or the sync of the group that the blob joins makes
   * them so.
   * @param pieces the checksums of the blob's pieces, for its sidecar
   * @throws DsmError STORAGE_FULL or STORAGE_FAILED; TIMEOUT behind a pause that was too long
   */
  async finish(pieces?: Uint8Array): Promise<void> {
    try {
      if (pieces !== undefined) await this.#writePieces(pieces);
      await this.#earlyDone();
      const syncs = this.#isLarge || this.#sync.blobsSyncThemselves;
      if (syncs) await this.#file.datasync();
      await this.#file.close();
    } catch (cause) {
      throw diskError(`${this.#shown} cannot be made durable`, cause);
    }
    this.#assertFresh();
  }

  async close(): Promise<void> {
    await this.#early;
    // After a failed close the descriptor is gone already, and there is nothing more to close.
    await this.#file.close().catch(() => undefined);
  }

  /**
   * A process that was frozen in the middle, as in a machine that was paused, may find its blob
   * unlinked: another member has taken it for what a crash left.
   */
  #assertFresh(): void {
    const pauseMs = performance.now() - this.#writtenAtMs;
    if (pauseMs <= this.#pauseMaxMs) return;
    const seconds = Math.round(pauseMs / 1_000);
    throw new DsmError("TIMEOUT", `${this.#shown} was not written to for ${seconds} s`, {
      remedy: "send it again; nothing was stored",
    });
  }

  /** One sync at a time, in the background: who writes faster than the disk waits for it here. */
  async #syncEarly(): Promise<void> {
    await this.#earlyDone();
    this.#isLarge = true;
    this.#unsyncedBytes = 0;
    this.#early = this.#file.datasync().catch((error: unknown) => {
      this.#earlyFailure = error;
    });
  }

  async #earlyDone(): Promise<void> {
    await this.#early;
    if (this.#earlyFailure !== undefined) throw this.#earlyFailure;
  }
}
