import { join } from "node:path";
import type { VersionRow } from "@dsm/catalog";
import { blobPath, systemErrorCode } from "@dsm/protocol";
import type { Finding } from "./finding.ts";

/** Reads a blob and compares its SHA-256 with its row. @returns what is wrong with it */
export async function verifyBlob(
  root: string,
  { user, fileId, version, id: blobId, sha256, sizeBytes }: VersionRow,
): Promise<Finding | undefined> {
  const where = { user, fileId, version, blobId };
  const hasher = new Bun.CryptoHasher("sha256");
  let diskBytes = 0;
  try {
    for await (const chunk of Bun.file(join(root, blobPath(blobId))).stream()) {
      hasher.update(chunk);
      diskBytes += chunk.length;
    }
  } catch (error) {
    const reason = systemErrorCode(error) ?? String(error);
    // Looking for it has told already that it is missing.
    return reason === "ENOENT" ? undefined : { kind: "unreadable blob", ...where, reason };
  }
  if (diskBytes !== sizeBytes) return undefined;
  const actual = hasher.digest("hex");
  return actual === sha256 ? undefined : { kind: "wrong digest", ...where, sha256: actual };
}
