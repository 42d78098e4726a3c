import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeNewFile } from "../write-new-file.ts";

/** Where the scrub of a group keeps what it knows, on the group's root. */
export function scrubFolder(root: string): string {
  return join(root, "scrub");
}

/**
 * Puts a file below the root in place, over an old one too: whoever reads meanwhile, and after a
 * crash, finds the old bytes or the new ones. Drafts lie in the folder of the scrub.
 */
export async function replaceFile(
  root: string,
  path: string,
  bytes: string | Uint8Array,
): Promise<void> {
  const draft = join(scrubFolder(root), `${crypto.randomUUID()}.tmp`);
  try {
    await mkdir(dirname(draft), { recursive: true });
    await writeNewFile(draft, bytes, { sync: true });
    await mkdir(dirname(join(root, path)), { recursive: true });
    await rename(draft, join(root, path));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

const draftMaxAgeMs = 3_600_000;

/** Removes what a crash has left. Young drafts may be somebody's. */
export async function removeOldDrafts(root: string): Promise<void> {
  const folder = scrubFolder(root);
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".tmp")) continue;
    const path = join(folder, name);
    const draft = await stat(path).catch(() => undefined);
    if (draft === undefined || Date.now() - draft.mtimeMs < draftMaxAgeMs) continue;
    await rm(path, { force: true });
  }
}
