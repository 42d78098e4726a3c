import type { FileInfo } from "@dsm/protocol";
import type { RowOf } from "../decode.ts";
import type { Tables } from "../schema/define.ts";

/** What of a version makes a FileInfo, for a SELECT from `versions` or an alias of it. */
export function fileColumns(versions: Tables["versions"]) {
  return {
    user: versions.user,
    fileId: versions.fileId,
    group: versions.group,
    blobId: versions.id,
    version: versions.version,
    sizeBytes: versions.sizeBytes,
    sha256: versions.sha256,
    mediaType: versions.mediaType,
    atMs: versions.atMs,
    modifiedAtMs: versions.modifiedAtMs,
    expiresAtMs: versions.expiresAtMs,
    damage: versions.damage,
  };
}

type FileRow = RowOf<ReturnType<typeof fileColumns>>;

/** Most files neither expire nor are damaged, and then say nothing of it. */
export function fileOf({ atMs, modifiedAtMs, expiresAtMs, damage, ...always }: FileRow): FileInfo {
  return {
    ...always,
    // What was moved is as old as it was; of all else the change is what made it.
    modifiedAtMs: modifiedAtMs ?? atMs,
    ...(expiresAtMs === null ? {} : { expiresAtMs }),
    ...(damage === null ? {} : { damage }),
  };
}
