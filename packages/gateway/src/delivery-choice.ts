import { markedGroup } from "@dsm/delivery";
import { DsmError } from "@dsm/protocol";

export type DeliveryMode = "auto" | "local" | "proxy";

/** Where the bytes of a group come from. */
export interface Delivery {
  /**
   * @returns the folder where the group's file system is mounted here, or undefined where one of
   * its storages has to be asked
   * @throws DsmError GROUP_UNAVAILABLE in mode `local` for a group that is not mounted
   */
  mountOf(group: string): Promise<string | undefined>;
}

/**
 * A mount counts only when it holds the marker of its group: the bare folder of a file system
 * that is not mounted would make every file look lost.
 */
export function deliveryFor(mode: DeliveryMode, mounts: ReadonlyMap<string, string>): Delivery {
  const proven = new Set<string>();
  return {
    async mountOf(group) {
      if (mode === "proxy") return undefined;
      const root = mounts.get(group);
      if (root !== undefined && proven.has(group)) return root;
      if (root !== undefined && (await markedGroup(root)) === group) {
        proven.add(group);
        return root;
      }
      if (mode === "auto") return undefined;
      const why = root === undefined ? "no mount is named for it" : `${root} does not hold it`;
      throw new DsmError("GROUP_UNAVAILABLE", `group ${group} is not mounted here: ${why}`, {
        remedy: "mount it and name it with --mounts, or set delivery to auto or proxy",
      });
    },
  };
}
