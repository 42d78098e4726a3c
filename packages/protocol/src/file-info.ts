import { z } from "zod";
import { type BlobId, isBlobId } from "./blob-id.ts";
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
});

export type FileInfo = z.infer<typeof fileInfoSchema>;

/** The strong ETag of a version (RFC 9110, section 8.8.3): its SHA-256, quoted. */
export function etagOf(sha256: string): string {
  return `"${sha256}"`;
}

/** The value of Repr-Digest (RFC 9530, section 3). */
export function reprDigestOf(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
}
