import { markedGroup } from "@dsm/delivery";
import { DsmError } from "@dsm/protocol";
import type { GroupRoots } from "./read-journals.ts";

/**
 * A folder without the marker of its group is one that is not mounted, and would give an empty
 * catalog.
 * @throws DsmError BAD_CONFIG
 */
export async function assertGroupRoots(roots: GroupRoots): Promise<void> {
  for (const [group, root] of roots) {
    const marked = await markedGroup(root);
    if (marked === group) continue;
    const why = marked === undefined ? "has no marker of a group" : `belongs to group ${marked}`;
    throw new DsmError("BAD_CONFIG", `${root} is not the folder of group ${group}: it ${why}`, {
      remedy: "mount the group file system there, or name its folder with --root GROUP=FOLDER",
    });
  }
}
