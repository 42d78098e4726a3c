import { link, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { groupMarkerName, markedGroup } from "@dsm/delivery";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { syncDirectory } from "@dsm/journal";
import { writeNewFile } from "./write-new-file.ts";

/**
 * Makes sure that `root` is usable and belongs to `group`: the first storage leaves a marker with
 * the group's name, the others find it. A path that holds another group is refused.
 * @throws DsmError DATA_NOT_WRITABLE or BAD_CONFIG
 */
export async function claimGroupRoot(root: string, group: string): Promise<void> {
  try {
    await mkdir(join(root, "blobs"), { recursive: true });
    await mkdir(join(root, "journal"), { recursive: true });
    if ((await markedGroup(root)) === undefined) await writeMarker(root, group);
  } catch (cause) {
    throw notWritable(root, cause);
  }
  const marked = await markedGroup(root);
  if (marked === group) return;
  throw new DsmError("BAD_CONFIG", `${root} belongs to group ${marked}, not to group ${group}`, {
    remedy: "give --group the group of that folder, or --root a folder of its own",
  });
}

/**
 * Written beside and linked into place: of storages that start at the same moment one link
 * succeeds, and nobody ever reads a marker that is half written.
 */
async function writeMarker(root: string, group: string): Promise<void> {
  const marker = join(root, groupMarkerName);
  const draft = `${marker}.${crypto.randomUUID()}`;
  try {
    await writeNewFile(draft, `${JSON.stringify({ group })}\n`, { sync: true });
    await link(draft, marker);
    await syncDirectory(root);
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function notWritable(root: string, cause: unknown): DsmError {
  const code = systemErrorCode(cause) ?? "unknown error";
  return new DsmError("DATA_NOT_WRITABLE", `the folder ${root} cannot be written: ${code}`, {
    cause,
    remedy: "give this process a folder that it may write",
  });
}
