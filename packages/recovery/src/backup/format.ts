import type { GroupRow, UserRow, VersionRow } from "@dsm/catalog";
import {
  blobIdSchema,
  countSchema,
  damageSchema,
  DsmError,
  fileIdSchema,
  limits,
  nameSchema,
  timeMsSchema,
} from "@dsm/protocol";
import { z } from "zod";

/**
 * A backup is NDJSON: a header, then the ids, groups, users and versions, then a footer. It knows
 * nothing of SQL, so what SQLite wrote MySQL reads. A change that old readers would not understand
 * gets a new number. Format 1 had no groups, and no version that is younger than its file.
 */
export const backupFormat = 2;
export const oldestBackupFormat = 1;

export const headerSchema = z.object({
  dsmBackup: z.number().int(),
  softwareVersion: z.string(),
  /** The moment whose state the backup holds, by the clock of who wrote it. */
  createdAtMs: timeMsSchema,
});
export type Header = z.infer<typeof headerSchema>;

const emptyOr = (schema: z.ZodString) => z.union([z.literal(""), schema]);

const groupSchema = z.strictObject({
  name: nameSchema,
  id: z.string().max(36),
  createdAtMs: timeMsSchema,
});

const userSchema = z.strictObject({
  name: nameSchema,
  group: nameSchema,
  assignedAtMs: timeMsSchema,
  quotaBytes: countSchema.optional(),
  updatedAtMs: timeMsSchema,
});

const versionSchema = z.strictObject({
  user: nameSchema,
  fileId: fileIdSchema,
  version: countSchema.positive(),
  id: blobIdSchema,
  group: nameSchema,
  deleted: z.boolean(),
  sizeBytes: countSchema,
  sha256: emptyOr(z.string().regex(/^[0-9a-f]{64}$/)),
  mediaType: z.string().max(limits.mediaTypeMaxChars),
  atMs: timeMsSchema,
  modifiedAtMs: timeMsSchema.optional(),
  replaces: blobIdSchema.optional(),
  trashGroup: nameSchema.optional(),
  expiresAtMs: timeMsSchema.optional(),
  damage: damageSchema.optional(),
});

const segmentSchema = z.strictObject({ name: nameSchema, next: countSchema });
export type SegmentRow = z.infer<typeof segmentSchema>;

/** What a backup holds how many of; the footer says it, and a restore counts it again. */
export const countsSchema = z.object({
  segments: countSchema,
  groups: countSchema.default(0),
  users: countSchema,
  versions: countSchema,
});
export type Counts = z.infer<typeof countsSchema>;

export const footerSchema = z.object({
  end: countsSchema.extend({ sha256: z.string() }),
});

export type BackupRow =
  | { readonly segment: SegmentRow }
  | { readonly group: GroupRow }
  | { readonly user: UserRow }
  | { readonly version: VersionRow };

export const rowSchema: z.ZodType<BackupRow> = z.union([
  z.strictObject({ version: versionSchema }),
  z.strictObject({ user: userSchema }),
  z.strictObject({ group: groupSchema }),
  z.strictObject({ segment: segmentSchema }),
]) as z.ZodType<BackupRow>;

/** Longer than any line that is written. */
export const lineMaxBytes = limits.journalRecordMaxBytes;

/** @param what is wrong with it, as "line 3 is …" */
export function badBackup(shown: string, what: string, cause?: unknown): DsmError {
  return new DsmError("DATA_CORRUPT", `${shown} cannot be restored: ${what}`, {
    remedy: "take another backup; nothing was written",
    cause,
  });
}
