import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";

/** One file of a journal. A storage begins a new one in each life, and when one is large. */
export interface JournalPart {
  readonly storageId: string;
  /** Relative to the root of the group, as `journal/s1/20261122T101500000Z-….log`. */
  readonly path: string;
  /** One life of one storage: its parts follow one another in a listing. */
  readonly life: string;
  /** When it was listed; the part of a storage that runs grows. */
  readonly sizeBytes: number;
}

/**
 * All parts of all storages of a group, or of one, by storage and by life.
 * @throws DsmError STORAGE_FAILED when a folder cannot be read
 */
export async function journalParts(root: string, storageId?: string): Promise<JournalPart[]> {
  const storages = storageId === undefined ? await namesIn(join(root, "journal")) : [storageId];
  const parts: JournalPart[] = [];
  for (const storage of storages) {
    for (const name of await namesIn(join(root, "journal", storage))) {
      const match = /^(.+)-\d+\.log$/.exec(name);
      if (match === null) continue;
      const path = `journal/${storage}/${name}`;
      const sizeBytes = await sizeOf(join(root, path));
      if (sizeBytes === undefined) continue;
      parts.push({ storageId: storage, path, life: `${storage}/${match[1]}`, sizeBytes });
    }
  }
  return parts;
}

/**
 * Whether a life of a storage has left a part in this folder: each makes its first one before it
 * joins, so whoever sees it shares the file system.
 * @throws DsmError STORAGE_FAILED when the folder cannot be read
 */
export async function hasLife(
  root: string,
  { storageId, incarnation }: { readonly storageId: string; readonly incarnation: string },
): Promise<boolean> {
  const names = await namesIn(join(root, "journal", storageId));
  return names.some((name) => name.replace(/-\d+\.log$/, "").endsWith(`-${incarnation}`));
}

/** In order; none where there is no such folder, or a file in its place. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (cause) {
    if (isNothing(cause)) return [];
    throw unreadable(folder, cause);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if (isNothing(cause)) return undefined;
    throw unreadable(path, cause);
  }
}

function isNothing(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function unreadable(path: string, cause: unknown): DsmError {
  const code = systemErrorCode(cause) ?? String(cause);
  return new DsmError("STORAGE_FAILED", `${path} cannot be read: ${code}`, {
    cause,
    remedy: "look at the disk and the mount of the group file system",
  });
}
