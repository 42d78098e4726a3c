import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { groupMarkerName, markedGroup } from "@dsm/delivery";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { syncDirectory } from "./sync-directory.ts";

/**
 * Makes sure that `root` is usable and belongs to `group`: the first storage leaves a marker with
 * the group's name, the others find it. A path that holds another group is refused.
 * @throws DsmError DATA_NOT_WRITABLE or BAD_CONFIG
 */
export async function claimGroupRoot(root: string, group: string): Promise<void> {
  try {
    await mkdir(join(root, "blobs"), { recursive: true });
    await mkdir(join(root, "journal"), { recursive: true });
    await writeMarker(root, group);
  } catch (cause) {
    throw notWritable(root, cause);
  }
  const marked = await markedGroup(root);
  if (marked === group) return;
  throw new DsmError("BAD_CONFIG", `${root} belongs to group ${marked}, not to group ${group}`, {
    remedy: "give --group the group of that folder, or --root a folder of its own",
  });
}

async function writeMarker(root: string, group: string): Promise<void> {
  let file;
  try {
    // O_EXCL: of storages that start at the same moment one makes it and the others read it.
    file = await open(join(root, groupMarkerName), "wx", 0o644);
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return;
    throw error;
  }
  try {
    await file.writeFile(`${JSON.stringify({ group })}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(root);
}

function notWritable(root: string, cause: unknown): DsmError {
  const code = systemErrorCode(cause) ?? "unknown error";
  return new DsmError("DATA_NOT_WRITABLE", `the folder ${root} cannot be written: ${code}`, {
    cause,
    remedy: "give this process a folder that it may write",
  });
}
