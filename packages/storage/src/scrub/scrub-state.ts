import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  blobIdSchema,
  countSchema,
  nameSchema,
  systemErrorCode,
  timeMsSchema,
} from "@dsm/protocol";
import { z } from "zod";
import { replaceFile } from "./replace-file.ts";

const countsSchema = z.object({
  blobs: countSchema,
  bytes: countSchema,
  /** Bad pieces that nobody knew of before. */
  found: countSchema,
  /** Pieces that were bad and are good again. */
  healed: countSchema,
  /** Blobs of live files that are not there. */
  missing: countSchema,
});
export type ScrubCounts = z.infer<typeof countsSchema>;

const passSchema = countsSchema.extend({
  number: countSchema,
  startedAtMs: timeMsSchema,
  /** The storage that reads, or read last. */
  by: nameSchema,
  /** What is to be read, as it was counted at the start. */
  totalBytes: countSchema,
  /** Of the blob that is being read; it is read from its start again when the pass is resumed. */
  readingBytes: countSchema.optional(),
  /** Every blob up to this one has been read; absent at the start. */
  after: blobIdSchema.optional(),
  /** Asked for by an operator; else each storage goes by its own configuration. */
  bytesPerSecond: z.number().positive().optional(),
});
export type ScrubPass = z.infer<typeof passSchema>;

const doneSchema = passSchema
  .omit({ after: true, readingBytes: true })
  .extend({ endedAtMs: timeMsSchema });

const stateSchema = z.object({
  /** The pass that is under way, or was when its storage stopped. */
  pass: passSchema.optional(),
  /** The last one that came to its end. */
  last: doneSchema.optional(),
  recheckedAtMs: timeMsSchema.optional(),
});
export type ScrubState = z.infer<typeof stateSchema>;

/** An operator wants a pass now. */
const wishSchema = z.object({ bytesPerSecond: z.number().positive().optional() });
export type ScrubWish = z.infer<typeof wishSchema>;

const statePath = "scrub/state.json";
const wishPath = "scrub/wish.json";

/**
 * How far the scrub of a group has come: a file on the group's root, so that any member goes on
 * where another one stopped. It is only advice about work: whatever is wrong with it, some blobs
 * are read twice, or a pass begins anew.
 */
export class ScrubStateFile {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async read(): Promise<ScrubState> {
    return (await readJson(join(this.#root, statePath), stateSchema)) ?? {};
  }

  write(state: ScrubState): Promise<void> {
    return replaceFile(this.#root, statePath, `${JSON.stringify(state)}\n`);
  }

  readWish(): Promise<ScrubWish | undefined> {
    return readJson(join(this.#root, wishPath), wishSchema);
  }

  wish(wish: ScrubWish): Promise<void> {
    return replaceFile(this.#root, wishPath, `${JSON.stringify(wish)}\n`);
  }

  forgetWish(): Promise<void> {
    return rm(join(this.#root, wishPath), { force: true });
  }
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
