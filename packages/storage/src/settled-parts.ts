import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "@dsm/protocol";
import { z } from "zod";

/** How long each part of a storage's journal was when all that stands in it was settled. */
const settledSchema = z.record(z.string(), z.int().nonnegative());
export type SettledParts = z.infer<typeof settledSchema>;

/** Whatever is wrong with the file, it only saves work. */
export async function readSettledParts(root: string, storageId: string): Promise<SettledParts> {
  try {
    const text = await readFile(settledPath(root, storageId), "utf8");
    return settledSchema.safeParse(JSON.parse(text)).data ?? {};
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return {};
    throw error;
  }
}

export async function writeSettledParts(
  root: string,
  storageId: string,
  settled: SettledParts,
): Promise<void> {
  const path = settledPath(root, storageId);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(settled));
  await rename(draft, path);
}

function settledPath(root: string, storageId: string): string {
  return join(root, "journal", storageId, "settled.json");
}
