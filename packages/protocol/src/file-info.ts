import { z } from "zod";
import { type BlobId, isBlobId } from "./blob-id.ts";
import { damageSchema } from "./damage.ts";
import { limits } from "./limits.ts";
import { fileIdFault, isName } from "./names.ts";

export const nameSchema = z.string().refine(isName, "not a valid name");
export const fileIdSchema = z.string().refine((id) => fileIdFault(id) === undefined, {
  error: "not a valid file id",
});
export const blobIdSchema = z.custom<BlobId>((id) => typeof id === "string" && isBlobId(id));
/**
 * What a client wants to do. A write may make a new user and needs room; a delete does neither,
 * so that a full group can be emptied.
 */
export const intentSchema = z.enum(["read", "write", "delete"]);
export type Intent = z.infer<typeof intentSchema>;

export const countSchema = z.number().int().nonnegative();
export const timeMsSchema = countSchema;

/** One version of a file, as the catalog knows it. Times are milliseconds since 1970 UTC. */
export const fileInfoSchema = z.object({
  user: nameSchema,
  fileId: fileIdSchema,
  group: nameSchema,
  blobId: blobIdSchema,
  /** Counts the versions of this file, deletes included. */
  version: z.number().int().positive(),
  sizeBytes: countSchema,
  /** 64 lowercase hex digits. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  mediaType: z.string().max(limits.mediaTypeMaxChars),
  /** When this version was committed. */
  modifiedAtMs: timeMsSchema,
  /** From then on the file is gone for every reader, and its bytes are reaped. */
  expiresAtMs: timeMsSchema.optional(),
  /** Which of its pieces are known to be bad on the disk; see damage.ts. Absent on sound files. */
  damage: damageSchema.optional(),
});

export type FileInfo = z.infer<typeof fileInfoSchema>;

/** An expired file is none: it is not found, may be created anew, and is not listed. */
export function isExpired(file: FileInfo, nowMs: number): boolean {
  return file.expiresAtMs !== undefined && file.expiresAtMs <= nowMs;
}

/** The file that there is for a reader. */
export function unexpired(file: FileInfo | undefined, nowMs: number): FileInfo | undefined {
  return file === undefined || isExpired(file, nowMs) ? undefined : file;
}

/** The strong ETag of a version (RFC 9110, section 8.8.3): its SHA-256, quoted. */
export function etagOf(sha256: string): string {
  return `"${sha256}"`;
}

/** The value of Repr-Digest (RFC 9530, section 3). */
export function reprDigestOf(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
}
