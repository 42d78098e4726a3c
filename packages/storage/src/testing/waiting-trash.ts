import type { Catalog, DeleteChange, PutChange } from "@dsm/catalog";
import { blobIdFromNumber, limits } from "@dsm/protocol";
import { putOf } from "./changes.ts";

const firstId = 1_000_000;

/**
 * Files that were moved here from group "away" and then deleted: so many entries of the trash of
 * g1, older than any that is made later, that cannot be forgotten before those of that group.
 */
export async function waitForGroup(
  catalog: Pick<Catalog, "commit">,
  away: string,
  count: number,
): Promise<void> {
  for (let first = 0; first < count; first += limits.reapBatchMax) {
    const length = Math.min(limits.reapBatchMax, count - first);
    const files = Array.from({ length }, (_, i) => moveAndDelete(firstId + 3 * (first + i), away));
    for (const step of [0, 1, 2]) await catalog.commit(files.map((changes) => changes[step]!));
  }
}

function moveAndDelete(id: number, away: string): [PutChange, PutChange, DeleteChange] {
  const { file } = putOf(id);
  const atMs = file.modifiedAtMs - 60_000;
  const old = { ...file, group: away, modifiedAtMs: atMs };
  const moved = { ...file, blobId: blobIdFromNumber(id + 1), version: 2, modifiedAtMs: atMs };
  const { user, fileId, group } = moved;
  return [
    { kind: "put", file: old },
    { kind: "put", file: moved, replaces: old.blobId },
    {
      kind: "delete",
      user,
      fileId,
      group,
      id: blobIdFromNumber(id + 2),
      version: 3,
      replaces: moved.blobId,
      atMs,
    },
  ];
}
