import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, systemErrorCode } from "@dsm/protocol";

/**
 * The file at the root of a group file system that names its group. It tells the mounted file
 * system from the bare folder that stays behind when it is not mounted.
 */
export const groupMarkerName = "dsm-group.json";

/** What a marker says. */
export interface GroupMark {
  readonly group: string;
  /** A UUID, which the catalog has too; absent in the markers of an older dsm. */
  readonly id?: string;
}

/**
 * @returns the group that the folder holds, or undefined when it has no marker
 * @throws DsmError DATA_CORRUPT when the marker cannot be read
 */
export async function markedGroup(root: string): Promise<string | undefined> {
  return (await groupMark(root))?.group;
}

/** As `markedGroup`, with the id. @throws DsmError DATA_CORRUPT */
export async function groupMark(root: string): Promise<GroupMark | undefined> {
  const path = join(root, groupMarkerName);
  try {
    const marker: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof marker !== "object" || marker === null || !("group" in marker)) return undefined;
    if (typeof marker.group !== "string") return undefined;
    const id = "id" in marker && typeof marker.id === "string" ? { id: marker.id } : {};
    return { group: marker.group, ...id };
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new DsmError("DATA_CORRUPT", `${path} cannot be read`, {
      cause,
      remedy: 'it should hold {"group":"NAME"}',
    });
  }
}
