import { markedGroup } from "@dsm/delivery";
import { DsmError } from "@dsm/protocol";
import type { FsckOptions } from "./scope.ts";

/**
 * Without the marker of the group its file system is not mounted here, and all of it looks lost.
 * @throws DsmError STORAGE_FAILED
 */
export async function assertMounted({ root, group }: FsckOptions): Promise<void> {
  if ((await markedGroup(root)) === group) return;
  throw new DsmError("STORAGE_FAILED", `${root} has no marker of group ${group}`, {
    remedy: "is its file system mounted there?",
  });
}
