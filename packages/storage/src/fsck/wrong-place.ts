import type { Stats } from "node:fs";
import { link, lstat, mkdir, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crashPoint } from "@dsm/faults";
import { syncDirectory } from "@dsm/journal";
import { type BlobId, blobPath, systemErrorCode } from "@dsm/protocol";
import { bytesFit } from "./bytes.ts";
import type { Fault } from "./finding.ts";
import { setAside } from "./lost-found.ts";
import type { Scope } from "./scope.ts";
import { type Astray, isLevelName } from "./tree-walk.ts";

/** What is wrong with something that does not belong where it was seen; none if it is gone. */
export async function placeFaults(scope: Scope, astray: Astray): Promise<Fault[]> {
  const { path, what, namedId } = astray;
  const stats = await statsOf(scope.root, path);
  if (stats === undefined) return [];
  const facts = {
    path,
    ...(namedId === undefined ? {} : { blobId: namedId }),
    detail: `a ${what} that does not belong there`,
  };
  // Somebody may be about to do something with what is new, and a link may lead to a whole disk.
  const isLeft = what === "link" || scope.isYoung(stats.ctimeMs);
  return [{ kind: "wrong-place", facts, ...(isLeft ? {} : { mend: () => mend(scope, astray) }) }];
}

async function mend(scope: Scope, astray: Astray): Promise<string> {
  const { root } = scope;
  const { path, what } = astray;
  const isRemoved = what === "folder" && (await removeEmpty(root, path));
  const done = isRemoved ? "removed: it was empty" : await move(scope, astray);
  await removeEmptyParents(root, dirname(path));
  return done;
}

async function move(scope: Scope, { tree, path, what, namedId }: Astray): Promise<string> {
  if (tree === "blobs" && what === "file" && namedId !== undefined) {
    const moved = await moveHome(scope, path, namedId);
    if (moved !== undefined) return moved;
  }
  const why = "it did not belong there, or its place was taken, or its bytes did not fit";
  return `moved to ${await setAside(scope.root, path, { why })}`;
}

/** To where a blob belongs, if the catalog knows these bytes by this id and nothing is there. */
async function moveHome(scope: Scope, path: string, id: BlobId): Promise<string | undefined> {
  const { root, catalog } = scope;
  const [known] = await catalog.blobsOf([id]);
  if (known?.file.group !== scope.group) return undefined;
  if (!(await bytesFit(scope, known.file, path))) return undefined;
  const home = blobPath(id);
  if (await isSameFile(root, path, home)) {
    await unlink(join(root, path));
    return `removed: it was a second name of ${home}`;
  }
  await mkdir(dirname(join(root, home)), { recursive: true });
  try {
    // Never over anything, and with a name at every moment.
    await link(join(root, path), join(root, home));
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return undefined;
    throw error;
  }
  await syncDirectory(dirname(join(root, home)));
  crashPoint("fsck.linked");
  await unlink(join(root, path));
  return `moved to ${home}`;
}

/** As a crash may leave it between the two steps of a move. */
async function isSameFile(root: string, path: string, other: string): Promise<boolean> {
  const [a, b] = [await statsOf(root, path), await statsOf(root, other)];
  return a !== undefined && a.dev === b?.dev && a.ino === b.ino;
}

async function statsOf(root: string, path: string): Promise<Stats | undefined> {
  try {
    return await lstat(join(root, path));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Folders that do not belong where they are, once nothing is left in them. */
async function removeEmptyParents(root: string, folder: string): Promise<void> {
  for (let at = folder; isForeignFolder(at); at = dirname(at)) {
    if (!(await removeEmpty(root, at))) return;
  }
}

function isForeignFolder(path: string): boolean {
  const [, ...names] = path.split("/");
  return names.length > 3 || names.some((name, depth) => !isLevelName(name, depth));
}

async function removeEmpty(root: string, folder: string): Promise<boolean> {
  try {
    await rmdir(join(root, folder));
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT") return true;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}
