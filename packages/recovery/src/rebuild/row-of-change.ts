import type { VersionRow } from "@dsm/catalog";
import type { IndexedChange } from "@dsm/journal";

/** The row of a change that came into force. @param trashGroup where what it replaced waits */
export function rowOfChange(change: IndexedChange, trashGroup: string | undefined): VersionRow {
  const { user, fileId, version, id, group, deleted, sizeBytes, sha256, mediaType } = change;
  const { atMs, modifiedAtMs, replaces, expiresAtMs } = change;
  return {
    user,
    fileId,
    version,
    id,
    group,
    deleted,
    sizeBytes,
    sha256,
    mediaType,
    atMs,
    ...(modifiedAtMs === undefined ? {} : { modifiedAtMs }),
    ...(replaces === undefined ? {} : { replaces }),
    ...(trashGroup === undefined ? {} : { trashGroup }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
}
