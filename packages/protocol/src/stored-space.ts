import { z } from "zod";
import { countSchema, fileInfoSchema, nameSchema, timeMsSchema } from "./file-info.ts";

export const spaceSchema = z.object({
  /** Files that can be read, and their bytes. */
  liveFiles: countSchema,
  liveBytes: countSchema,
  /** Blobs that wait to be unlinked, and their bytes. */
  trashBlobs: countSchema,
  trashBytes: countSchema,
});
/** What is stored, counted exactly: each commit and each step of the reaper changes it at once. */
export type StoredSpace = z.infer<typeof spaceSchema>;

export const userUsageSchema = spaceSchema.extend({
  user: nameSchema,
  group: nameSchema,
  /** What liveBytes may not pass; absent where there is no limit. */
  quotaBytes: countSchema.optional(),
});
export type UserUsage = z.infer<typeof userUsageSchema>;

export const moveSchema = z.object({
  user: nameSchema,
  /** The group where these files still lie. */
  from: nameSchema,
  to: nameSchema,
  files: countSchema,
  bytes: countSchema,
});
/** Files of a user that lie in another group than the user's, and are moved there. */
export type UserMove = z.infer<typeof moveSchema>;

/** A version in the trash whose bytes are still there. */
export const trashedFileSchema = z.object({
  file: fileInfoSchema,
  trashedAtMs: timeMsSchema,
  /** The file was deleted; else it was replaced by a newer version. */
  wasDeleted: z.boolean(),
});
export type TrashedFile = z.infer<typeof trashedFileSchema>;

/** What a storage answers to a request that empties the trash of a file. */
export const emptiedSchema = z.object({
  blobs: countSchema,
  bytes: countSchema,
  /** Blobs that stay until an older one of the same file is gone, which was not named. */
  kept: countSchema,
});
export type Emptied = z.infer<typeof emptiedSchema>;
