import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "@dsm/protocol";
import { z } from "zod";

/** How long each part of a storage's journal was when all that stands in it was settled. */
const settledSchema = z.record(z.string(), z.int().nonnegative());
export type SettledParts = z.infer<typeof settledSchema>;

/** Whatever is wrong with the file, nothing is lost with it: it saves work, and it warns. */
export async function readSettledParts(root: string, storageId: string): Promise<SettledParts> {
  try {
    const text = await readFile(settledPath(root, storageId), "utf8");
    return settledSchema.safeParse(JSON.parse(text)).data ?? {};
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return {};
    throw error;
  }
}

/**
 * What is noted of a part that is gone or has become shorter stays noted: fsck knows by it that
 * records are lost.
 */
export async function writeSettledParts(
  root: string,
  storageId: string,
  settled: SettledParts,
): Promise<void> {
  const path = settledPath(root, storageId);
  const noted = { ...(await readSettledParts(root, storageId)) };
  for (const [part, bytes] of Object.entries(settled)) {
    noted[part] = Math.max(bytes, noted[part] ?? 0);
  }
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(noted));
  await rename(draft, path);
}

function settledPath(root: string, storageId: string): string {
  return join(root, "journal", storageId, "settled.json");
}
