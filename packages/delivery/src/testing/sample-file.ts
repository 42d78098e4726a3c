import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobIdFromNumber, blobPath, type FileInfo } from "@dsm/protocol";

export const sampleFile: FileInfo = {
  user: "ada",
  fileId: "clips/café.mp4",
  group: "g1",
  blobId: blobIdFromNumber(4711),
  version: 1,
  sizeBytes: 1000,
  sha256: "ab".repeat(32),
  mediaType: "video/mp4",
  modifiedAtMs: Date.UTC(1994, 10, 6, 8, 49, 37, 250),
};

/** Puts `bytes` where the blob of the returned file lies below `root`. */
export async function storeSample(root: string, bytes: Uint8Array): Promise<FileInfo> {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await Bun.write(await blobFile(root), bytes);
  return { ...sampleFile, sizeBytes: bytes.length, sha256 };
}

/** The path of the sample's blob below `root`, with its folder made. */
export async function blobFile(root: string): Promise<string> {
  const path = join(root, blobPath(sampleFile.blobId));
  await mkdir(dirname(path), { recursive: true });
  return path;
}
