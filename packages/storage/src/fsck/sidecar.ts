import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, piecesPath } from "@dsm/protocol";

/** A sidecar can be made anew from its blob, so it is removed where it would be in the way. */
export async function unlinkSidecar(root: string, id: BlobId): Promise<void> {
  await rm(join(root, piecesPath(id)), { force: true });
}
