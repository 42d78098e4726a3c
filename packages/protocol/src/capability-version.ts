import { z } from "zod";
import { type FileInfo, fileInfoSchema } from "./file-info.ts";

const { shape } = fileInfoSchema;

/** A SHA-256 as 43 characters of base64url, which take two thirds of its 64 hex digits. */
const sha256Schema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** One version of a file that is named elsewhere, as short as JSON can say it. */
export const versionSchema = z.tuple([
  shape.blobId,
  shape.version,
  shape.sizeBytes,
  sha256Schema,
  shape.mediaType,
  shape.modifiedAtMs,
  shape.expiresAtMs.unwrap().nullish(),
  shape.damage.unwrap().nullish(),
]);

export type WrittenVersion = z.infer<typeof versionSchema>;

export function writeVersion(file: FileInfo): WrittenVersion {
  const sha256 = Buffer.from(file.sha256, "hex").toString("base64url");
  const { blobId, version, sizeBytes, mediaType, modifiedAtMs, expiresAtMs, damage } = file;
  const always = [blobId, version, sizeBytes, sha256, mediaType, modifiedAtMs] as const;
  // Few files expire and fewer are damaged, so these two are written only where there is one.
  if (damage !== undefined) return [...always, expiresAtMs ?? null, damage];
  return expiresAtMs === undefined ? [...always] : [...always, expiresAtMs];
}

export function readVersion(
  of: Pick<FileInfo, "user" | "group" | "fileId">,
  written: WrittenVersion,
): FileInfo {
  const [blobId, version, sizeBytes, sha256, mediaType, modifiedAtMs, expiresAtMs, damage] =
    written;
  return {
    user: of.user,
    fileId: of.fileId,
    group: of.group,
    blobId,
    version,
    sizeBytes,
    sha256: Buffer.from(sha256, "base64url").toString("hex"),
    mediaType,
    modifiedAtMs,
    ...(expiresAtMs == null ? {} : { expiresAtMs }),
    ...(damage == null ? {} : { damage }),
  };
}
