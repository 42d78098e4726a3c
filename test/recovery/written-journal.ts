import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodeRecord, type JournalRecord } from "@dsm/journal";
import { blobIdFromNumber, blobPath, type FileInfo } from "@dsm/protocol";

/** A put of 3 bytes; numbers count the ids. */
export function putOf(n: number, file: Partial<FileInfo> = {}): JournalRecord {
  return {
    kind: "put",
    file: {
      user: "ann",
      fileId: `film ${n}`,
      group: "g1",
      blobId: blobIdFromNumber(n),
      version: 1,
      sizeBytes: 3,
      sha256: Bun.SHA256.hash("abc", "hex"),
      mediaType: "video/mp4",
      modifiedAtMs: 1_000 + n,
      ...file,
    },
  };
}

export async function layGroup(root: string, lines: readonly string[]): Promise<void> {
  await mkdir(join(root, "journal", "s1"), { recursive: true });
  await writeFile(join(root, "dsm-group.json"), '{"group":"g1"}\n');
  await writeFile(join(root, "journal/s1/20261123T000000000Z-a-0.log"), lines.join(""));
}

export const linesOf = (records: readonly JournalRecord[]) => records.map(encodeRecord);

export async function layBlob(root: string, n: number, content = "abc"): Promise<void> {
  const path = join(root, blobPath(blobIdFromNumber(n)));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
