import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, blobPath, isBlobId, piecesPath, systemErrorCode } from "@dsm/protocol";
import { diskError } from "../disk-error.ts";

/** The two trees of a group root whose files are named after blobs, and where each file belongs. */
const places = { blobs: blobPath, pieces: piecesPath } as const;
export type Tree = keyof typeof places;

/** A file that lies where its name says. */
interface Placed {
  readonly id: BlobId;
  /** Relative to the root of the group. */
  readonly path: string;
}

/** What lies in a tree and does not belong there. */
export interface Astray {
  readonly tree: Tree;
  readonly path: string;
  readonly what: "file" | "folder" | "link" | "special file";
  /** The blob that its name speaks of. */
  readonly namedId?: BlobId;
}

const levels = 3;
const depthMax = 32;

/** What network file systems keep of files that were removed and are still open. */
const isHidden = (name: string) => name.startsWith(".nfs") || name.startsWith(".fuse_hidden");

/**
 * Every name of a tree. What is in its place comes in the order of the ids: folders have names of
 * a fixed length, so the order of their names is that of the ids in them. One folder of each level
 * is in memory, at most `limits.blobsPerDirectoryMax` names.
 * @throws DsmError STORAGE_FAILED
 */
export function walkTree(root: string, tree: Tree): AsyncGenerator<Placed | Astray> {
  return walkFolder(root, tree, tree, 0);
}

async function* walkFolder(
  root: string,
  tree: Tree,
  folder: string,
  depth: number,
): AsyncGenerator<Placed | Astray> {
  for (const entry of await entriesIn(root, folder)) {
    const { name } = entry;
    const path = `${folder}/${name}`;
    const isLevel = depth < levels && isLevelName(name, depth);
    const isPlaced = depth === levels && isBlobId(name) && places[tree](name) === path;
    const what = whatOf(entry);
    if (what === "folder") {
      yield* isLevel ? walkFolder(root, tree, path, depth + 1) : walkAstray(root, tree, path, 1);
      continue;
    }
    if (what === "file" && isPlaced) {
      yield { id: name, path };
      continue;
    }
    yield astray(tree, path, name, what);
    // A link is told of, and what it stands for is there all the same.
    const target = what === "link" ? await targetOf(root, path) : undefined;
    if (target === "folder" && isLevel) yield* walkFolder(root, tree, path, depth + 1);
    if (target === "file" && isPlaced) yield { id: name, path };
  }
}

/** All files below a folder that does not belong here, or the folder itself if there are none. */
async function* walkAstray(
  root: string,
  tree: Tree,
  folder: string,
  depth: number,
): AsyncGenerator<Astray> {
  const entries = depth < depthMax ? await entriesIn(root, folder) : [];
  if (entries.length === 0) yield { tree, path: folder, what: "folder" };
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    const what = whatOf(entry);
    if (what === "folder") yield* walkAstray(root, tree, path, depth + 1);
    else yield astray(tree, path, entry.name, what);
  }
}

function astray(tree: Tree, path: string, name: string, what: Astray["what"]): Astray {
  return { tree, path, what, ...(isBlobId(name) ? { namedId: name } : {}) };
}

/** As blobPath makes them: nine hex digits, then twice a number below 1,024 in three. */
export function isLevelName(name: string, depth: number): boolean {
  return depth === 0 ? /^[0-9a-f]{9}$/.test(name) : /^[0-3][0-9a-f]{2}$/.test(name);
}

function whatOf(entry: Dirent): Astray["what"] {
  if (entry.isDirectory()) return "folder";
  if (entry.isSymbolicLink()) return "link";
  return entry.isFile() ? "file" : "special file";
}

async function targetOf(root: string, path: string): Promise<"folder" | "file" | undefined> {
  try {
    const stats = await stat(join(root, path));
    if (stats.isDirectory()) return "folder";
    return stats.isFile() ? "file" : undefined;
  } catch {
    // It leads nowhere, or round in circles: whatever belongs here is missing.
    return undefined;
  }
}

async function entriesIn(root: string, folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    return entries
      .filter(({ name }) => !isHidden(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    const code = systemErrorCode(cause);
    // Removed since its parent was listed, or not there yet.
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw diskError(`${folder} cannot be listed`, cause);
  }
}
