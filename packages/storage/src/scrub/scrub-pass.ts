import type { Catalog, KnownBlob } from "@dsm/catalog";
import type { Clock } from "@dsm/clock";
import { type BlobId, limits } from "@dsm/protocol";
import type { Examiner } from "./examiner.ts";
import type { Pace } from "./pace.ts";
import type { ScrubCounts, ScrubPass } from "./scrub-state.ts";

interface ScrubPassOptions {
  readonly group: string;
  readonly catalog: Pick<Catalog, "blobs">;
  readonly examiner: Pick<Examiner, "examine">;
  readonly pace: Pick<Pace, "take">;
  readonly clock: Clock;
  /** Keeps the place; called every few seconds, and when the pass is interrupted. */
  readonly save: (pass: ScrubPass) => Promise<void>;
  readonly onBlob: (counts: ScrubCounts) => void;
  readonly signal: AbortSignal;
}

const pageBlobs = 200;

/**
 * Every blob of the group that was there when the pass began, live or in the trash, in the order
 * of their ids, from where it stopped. What comes meanwhile is the next pass's work, or this one
 * would run after the uploads for ever.
 * @returns the pass at its end
 * @throws the signal's reason, and whatever stops the reading; the place is kept then
 */
export async function runPass(begun: ScrubPass, options: ScrubPassOptions): Promise<ScrubPass> {
  const { examiner, pace, onBlob, save, signal } = options;
  let { readingBytes: _stopped, ...pass }: ScrubPass = begun;
  const saver = new Saver(options);
  try {
    for await (const blob of blobsAfter(pass.after, options)) {
      signal.throwIfAborted();
      const { blobId, sizeBytes, modifiedAtMs } = blob.file;
      if (modifiedAtMs <= pass.startedAtMs) {
        let readingBytes = 0;
        const paced = async (bytes: number) => {
          await pace.take(bytes, signal);
          readingBytes = Math.min(readingBytes + bytes, sizeBytes);
          await saver.saveIfDue({ ...pass, readingBytes });
        };
        const examined = await examiner.examine(blob, { signal, pace: paced });
        const counts = { ...examined, blobs: 1, bytes: sizeBytes };
        pass = added(pass, counts);
        onBlob(counts);
      }
      pass = { ...pass, after: blobId };
      await saver.saveIfDue(pass);
    }
    return pass;
  } catch (error) {
    await save(pass);
    throw error;
  }
}

class Saver {
  readonly #options: Pick<ScrubPassOptions, "clock" | "save">;
  #savedAtMs: number;

  constructor(options: Pick<ScrubPassOptions, "clock" | "save">) {
    this.#options = options;
    this.#savedAtMs = options.clock.monotonicMs();
  }

  async saveIfDue(pass: ScrubPass): Promise<void> {
    const { clock, save } = this.#options;
    if (clock.monotonicMs() - this.#savedAtMs < limits.scrubSaveMs) return;
    await save(pass);
    this.#savedAtMs = clock.monotonicMs();
  }
}

async function* blobsAfter(
  from: BlobId | undefined,
  { catalog, group }: ScrubPassOptions,
): AsyncGenerator<KnownBlob> {
  let after = from;
  for (;;) {
    const limit = pageBlobs;
    const page = await catalog.blobs({ group, limit, ...(after === undefined ? {} : { after }) });
    yield* page;
    if (page.length < limit) return;
    after = page.at(-1)?.file.blobId;
  }
}

function added(pass: ScrubPass, counts: ScrubCounts): ScrubPass {
  return {
    ...pass,
    blobs: pass.blobs + counts.blobs,
    bytes: pass.bytes + counts.bytes,
    found: pass.found + counts.found,
    healed: pass.healed + counts.healed,
    missing: pass.missing + counts.missing,
  };
}
