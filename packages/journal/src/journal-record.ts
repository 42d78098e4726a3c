import {
  blobIdSchema,
  countSchema,
  fileIdSchema,
  fileInfoSchema,
  nameSchema,
  timeMsSchema,
} from "@dsm/protocol";
import { z } from "zod";

/**
 * One line of a journal: the CRC-32 of the JSON in 8 hex digits, a space, the JSON. A put is
 * written before its catalog row and a delete before it is acknowledged; `abort` closes a record
 * whose catalog statement did not happen. The version orders the records of one file.
 */
const recordSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("put"),
    file: fileInfoSchema,
    replaces: blobIdSchema.optional(),
    /** Of a file that was moved, which is older than that. */
    atMs: timeMsSchema.optional(),
  }),
  z.object({
    kind: z.literal("delete"),
    user: nameSchema,
    fileId: fileIdSchema,
    group: nameSchema,
    id: blobIdSchema,
    version: countSchema,
    replaces: blobIdSchema,
    atMs: timeMsSchema,
  }),
  z.object({
    kind: z.literal("abort"),
    id: blobIdSchema,
    /** A blob that lost is tried again as a later version: the abort closes only this one. */
    version: countSchema,
    atMs: timeMsSchema,
  }),
  /**
   * A user of this group as the catalog has it, so that a rebuild knows groups and quotas too.
   * Written before the first put of a user in each life of a storage, and when the row changes;
   * of several the one that was updated last counts.
   */
  z.object({
    kind: z.literal("user"),
    name: nameSchema,
    group: nameSchema,
    assignedAtMs: timeMsSchema,
    quotaBytes: countSchema.optional(),
    updatedAtMs: timeMsSchema,
  }),
]);

export type JournalRecord = z.infer<typeof recordSchema>;

export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

/** @returns the record, or undefined for a line that a crash cut short or a disk damaged */
export function decodeRecord(line: string): JournalRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
  const parsed = recordSchema.safeParse(parseJson(json));
  return parsed.success ? parsed.data : undefined;
}

/** Eight zeros are the checksum of nothing, and nothing is no JSON. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return Bun.hash.crc32(json).toString(16).padStart(8, "0");
}
