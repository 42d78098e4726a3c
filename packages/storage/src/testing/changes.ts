import type { PutChange } from "@dsm/catalog";
import { blobIdFromNumber } from "@dsm/protocol";

const startedAtMs = Date.now();

/** A put of user ann in group g1: the id is the number, and so is the file unless it is named. */
export function putOf(n: number, fileId = `f${n}`): PutChange {
  const blobId = blobIdFromNumber(n);
  const sha256 = Bun.SHA256.hash(fileId, "hex");
  const named = { user: "ann", fileId, group: "g1", blobId, version: 1 };
  return {
    kind: "put",
    file: { ...named, sizeBytes: 1, sha256, mediaType: "image/png", modifiedAtMs: startedAtMs },
  };
}
