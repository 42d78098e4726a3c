import type { Catalog } from "@dsm/catalog";
import { type BlobId, DsmError, limits, type MaintenanceLine } from "@dsm/protocol";
import { z } from "zod";
import type { ScrubState, ScrubStateFile } from "./scrub-state.ts";

const paramsSchema = z.strictObject({
  /** Begin a pass, or watch the one that is under way; else only tell how things stand. */
  now: z.boolean().optional(),
  bytesPerSecond: z
    .number()
    .min(limits.scrubReadCostBytes)
    .max(1024 ** 4)
    .optional(),
});

interface ScrubJobOptions {
  readonly group: string;
  readonly catalog: Pick<Catalog, "damaged">;
  readonly file: ScrubStateFile;
  /** Of this storage. */
  readonly bytesPerSecond: number;
  readonly intervalMs: number;
  /** Lets this storage look at once whether there is something to do. */
  readonly nudge: () => void;
}

const lookEveryMs = 200;
/** Longer than a lease whose owner is dead, and a turn that nobody else takes. */
const beginWithinMs = 2 * (limits.scrubLeaseMs + limits.scrubTurnMs);

/**
 * What an operator asks of the scrub of a group: how it stands, or a pass now. The pass is done by
 * whichever storage takes it up, and goes on when whoever asked for it leaves.
 */
export async function* scrubJob(
  options: ScrubJobOptions,
  params: unknown,
  signal: AbortSignal,
): AsyncGenerator<MaintenanceLine, void, undefined> {
  const parsed = paramsSchema.safeParse(params);
  if (!parsed.success) {
    throw new DsmError(
      "BAD_REQUEST",
      `a scrub cannot be asked so: ${z.prettifyError(parsed.error)}`,
    );
  }
  const { now, bytesPerSecond } = parsed.data;
  if (now === true) {
    const number = numberOfNext(await options.file.read());
    await options.file.wish(bytesPerSecond === undefined ? {} : { bytesPerSecond });
    options.nudge();
    yield* watch(options, number, signal);
  }
  yield* report(options);
}

function numberOfNext({ pass, last }: ScrubState): number {
  return pass?.number ?? (last?.number ?? 0) + 1;
}

async function* watch(
  { group, file }: ScrubJobOptions,
  number: number,
  signal: AbortSignal,
): AsyncGenerator<MaintenanceLine> {
  const askedAtMs = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const { pass, last } = await file.read();
    if ((last?.number ?? 0) >= number) return;
    const hasBegun = pass?.number === number;
    if (!hasBegun && performance.now() - askedAtMs > beginWithinMs) throw notBegun(group);
    yield {
      progress: {
        doing: hasBegun ? `scrub by ${pass.by}` : "scrub waits for a storage",
        done: hasBegun ? pass.bytes + (pass.readingBytes ?? 0) : 0,
        total: hasBegun ? pass.totalBytes : 0,
        unit: "bytes",
      },
    };
    await Bun.sleep(lookEveryMs);
  }
}

/** Every damaged file as a finding, then how far the scrub is. */
async function* report(options: ScrubJobOptions): AsyncGenerator<MaintenanceLine> {
  const { group, catalog, file, bytesPerSecond, intervalMs } = options;
  let damaged = 0;
  let after: BlobId | undefined;
  do {
    const limit = limits.listMax;
    const page = await catalog.damaged({ group, limit, ...(after && { after }) });
    for (const { file: bad, state } of page) {
      const { user, fileId, blobId, sizeBytes, damage } = bad;
      yield { finding: { user, fileId, blobId, sizeBytes, damage, state } };
    }
    damaged += page.length;
    after = page.length < limit ? undefined : page.at(-1)?.file.blobId;
  } while (after !== undefined);
  const { pass, last } = await file.read();
  yield { done: { group, damaged, bytesPerSecond, intervalMs, pass, last } };
}

function notBegun(group: string): DsmError {
  return new DsmError("TIMEOUT", `no storage of group ${group} has begun the pass`, {
    remedy: "see the logs of its storages; the pass stays asked for",
  });
}
