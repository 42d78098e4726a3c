import { readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { journalParts, syncDirectory } from "@dsm/journal";
import { systemErrorCode } from "@dsm/protocol";
import { z } from "zod";
import { writeNewFile } from "./write-new-file.ts";

/** How long each part of a storage's journal was when all that stands in it was settled. */
const settledSchema = z.record(z.string(), z.int().nonnegative());
export type SettledParts = z.infer<typeof settledSchema>;

/**
 * What all lives together have settled. Whatever is wrong with a file counts as not settled, and
 * nothing is lost with it: it saves work, and it warns.
 */
export async function readSettledParts(root: string, storageId: string): Promise<SettledParts> {
  const folder = join(root, "journal", storageId);
  // The marks of ended lives first: whoever folds them writes the common file before they go.
  const ended = await readAll(folder, await endMarks(folder));
  return merge([...ended, await readParts(join(folder, commonName))]);
}

/** Folds the marks of ended lives into the common file, so that they do not pile up. */
export async function writeSettledParts(
  root: string,
  storageId: string,
  settled: SettledParts,
): Promise<void> {
  const folder = join(root, "journal", storageId);
  const marks = await endMarks(folder);
  const known = await readAll(folder, [...marks, commonName]);
  const path = join(folder, commonName);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(merge([...known, settled])));
  await rename(draft, path);
  for (const mark of marks) await removeMark(join(folder, mark));
}

/**
 * Says of a life that ends, and writes no more, that nothing of it is open. In a file of its own:
 * the workers of one storage end at the same moment, and none must write over another's word.
 */
export async function markLifeSettled(
  root: string,
  storageId: string,
  incarnation: string,
): Promise<void> {
  const parts = await journalParts(root, storageId);
  const own = parts.filter(({ life }) => life.endsWith(incarnation));
  const settled = Object.fromEntries(own.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const folder = join(root, "journal", storageId);
  await writeNewFile(join(folder, `settled-${incarnation}.json`), JSON.stringify(settled), {
    sync: true,
  });
  await syncDirectory(folder);
}

const commonName = "settled.json";

async function endMarks(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^settled-.+\.json$/.test(name));
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function readAll(folder: string, names: readonly string[]): Promise<SettledParts[]> {
  return Promise.all(names.map((name) => readParts(join(folder, name))));
}

async function readParts(path: string): Promise<SettledParts> {
  try {
    const text = await readFile(path, "utf8");
    return settledSchema.safeParse(JSON.parse(text)).data ?? {};
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === "ENOENT") return {};
    throw error;
  }
}

/**
 * Parts only grow, so of two words on one the longer is the later. What is noted of a part that is
 * gone or has become shorter stays noted: fsck knows by it that records are lost.
 */
function merge(all: readonly SettledParts[]): SettledParts {
  const merged: Record<string, number> = {};
  for (const [path, sizeBytes] of all.flatMap((one) => Object.entries(one))) {
    merged[path] = Math.max(merged[path] ?? 0, sizeBytes);
  }
  return merged;
}

async function removeMark(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    // Another worker has folded it too.
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}
