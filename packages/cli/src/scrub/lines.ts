import { z } from "zod";
import { damageText } from "../damage-text.ts";
import { sizeText, spanText, timeText } from "../table.ts";

/** A damaged file as a storage tells it. */
export const damagedSchema = z.object({
  user: z.string(),
  fileId: z.string(),
  blobId: z.string(),
  sizeBytes: z.number(),
  /** Its bad pieces, as protocol/damage.ts writes them. */
  damage: z.string(),
  state: z.string(),
});

const countsSchema = z.object({
  number: z.number(),
  by: z.string(),
  startedAtMs: z.number(),
  blobs: z.number(),
  bytes: z.number(),
  found: z.number(),
  healed: z.number(),
  missing: z.number(),
});

/** How the scrub of a group stands. */
export const standingSchema = z.object({
  group: z.string(),
  /** Files that are damaged now. */
  damaged: z.number(),
  bytesPerSecond: z.number(),
  /** Null where no pass follows by itself. */
  intervalMs: z.number().nullable(),
  pass: countsSchema
    .extend({
      totalBytes: z.number(),
      readingBytes: z.number().optional(),
      bytesPerSecond: z.number().optional(),
    })
    .optional(),
  last: countsSchema.extend({ endedAtMs: z.number() }).optional(),
});
export type Standing = z.infer<typeof standingSchema>;

export function damagedLine(group: string, file: z.infer<typeof damagedSchema>): string {
  const { user, fileId, blobId, damage, state } = file;
  const where = state === "live" ? "" : ", in the trash";
  return `damaged  group ${group}: ${user}/${fileId}, blob ${blobId}${where}: ${damageText(damage)}`;
}

export function standingLines(standing: Standing): string[] {
  const { group, damaged, last } = standing;
  const files = damaged === 1 ? "1 damaged file" : `${damaged} damaged files`;
  return [
    `group ${group}: ${damaged === 0 ? "no damaged file" : files}`,
    `  now   ${nowText(standing)}`,
    `  last  ${last === undefined ? "no pass has come to its end yet" : lastText(last)}`,
  ];
}

function nowText({ pass, last, bytesPerSecond, intervalMs }: Standing): string {
  if (pass !== undefined) {
    const { number, by, bytes, readingBytes = 0, totalBytes } = pass;
    const doneBytes = Math.min(bytes + readingBytes, totalBytes);
    const rate = pass.bytesPerSecond ?? bytesPerSecond;
    const leftMs = rate === 0 ? 0 : ((totalBytes - doneBytes) / rate) * 1_000;
    const left = rate === 0 ? "" : `, at least ${spanText(leftMs)} left`;
    const done = `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`;
    return `pass ${number} by ${by}: ${done}${left}; ${foundText(pass)}`;
  }
  if (bytesPerSecond === 0 || intervalMs === null) {
    return "none, and none follows by itself; see dsm scrub --now";
  }
  const nextAtMs = last === undefined ? 0 : last.endedAtMs + intervalMs;
  return nextAtMs <= Date.now() ? "a pass is due" : `none until ${timeText(nextAtMs)}`;
}

function lastText(last: NonNullable<Standing["last"]>): string {
  const { number, by, blobs, bytes, startedAtMs, endedAtMs } = last;
  const read = `${blobs} blobs, ${sizeText(bytes)}`;
  const took = spanText(endedAtMs - startedAtMs);
  return `pass ${number} by ${by}: ${read} in ${took}, until ${timeText(endedAtMs)}; ${foundText(last)}`;
}

function foundText({ found, healed, missing }: { found: number; healed: number; missing: number }) {
  const gone = missing === 0 ? "" : `, ${missing} blobs missing (see dsm fsck)`;
  return `${found} bad pieces found, ${healed} healed${gone}`;
}
