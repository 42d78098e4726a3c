import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { crashPoint } from "@dsm/faults";
import { syncDirectory } from "@dsm/journal";
import { type BlobId, blobPath } from "@dsm/protocol";
import { writeNewFile } from "../write-new-file.ts";
import { unlinkSidecar } from "./sidecar.ts";

/** Where a group keeps what fsck has taken away and nobody can prove to be garbage. */
const folderName = "lost+found";

/**
 * Moves a file or folder out of the way, with a note of where it was and why.
 * @param about what else is known of it, for the note
 * @returns where it is now, relative to the root
 * @throws Error with the code of the system; then it is where it was
 */
export async function setAside(
  root: string,
  path: string,
  about: Readonly<Record<string, unknown>>,
): Promise<string> {
  const folder = join(root, folderName);
  await mkdir(folder, { recursive: true });
  const name = `${basename(path)}-${crypto.randomUUID()}`;
  const note = JSON.stringify({ was: path, ...about, movedAtMs: Date.now() });
  // The note first: after a crash it may speak of what was not moved, and never the reverse.
  await writeNewFile(join(folder, `${name}.json`), `${note}\n`, { sync: true });
  crashPoint("fsck.noted");
  await rename(join(root, path), join(folder, name));
  await syncDirectory(folder);
  await syncDirectory(dirname(join(root, path)));
  crashPoint("fsck.moved");
  return `${folderName}/${name}`;
}

/** The same for a blob in its place; its sidecar, which can be made anew, goes. */
export async function setBlobAside(
  root: string,
  id: BlobId,
  about: Readonly<Record<string, unknown>>,
): Promise<string> {
  await unlinkSidecar(root, id);
  return setAside(root, blobPath(id), about);
}
