import { essenceOf, markedGroup, mediaTypeFor } from "@dsm/delivery";
import { DsmError, type FileInfo, limits } from "@dsm/protocol";

export type DeliveryMode = "auto" | "local" | "redirect" | "proxy";

/** A mode for some groups, and one for all others. */
export interface Deliveries {
  readonly byGroup: ReadonlyMap<string, DeliveryMode>;
  readonly others: DeliveryMode;
}

/** How the bytes of one file reach the client. */
export type Way =
  | { readonly kind: "local"; readonly root: string }
  | { readonly kind: "redirect" }
  | { readonly kind: "proxy" };

export interface Delivery {
  /**
   * @param lookAnew where what was seen of the mount a moment ago seems to be wrong
   * @throws DsmError GROUP_UNAVAILABLE in mode `local` for a group that is not mounted
   */
  wayOf(file: FileInfo, options?: { readonly lookAnew?: boolean }): Promise<Way>;
}

/**
 * A mount counts only when it holds the marker of its group: the bare folder of a file system
 * that is not mounted would make every file look lost. It is looked at again every second, for it
 * may go while the gateway runs, and come back.
 */
export function deliveryFor(
  choice: DeliveryMode | Deliveries,
  mounts: ReadonlyMap<string, string>,
): Delivery {
  const mountLooks = new MountLooks();
  return {
    async wayOf(file, { lookAnew = false } = {}) {
      const { group } = file;
      const mode = modeOf(choice, group);
      if (mode === "proxy") return { kind: "proxy" };
      if (mode === "redirect" && !namesOthers(file)) return { kind: "redirect" };
      const root = mounts.get(group);
      if (root !== undefined && (await mountLooks.isMounted(group, root, lookAnew))) {
        return { kind: "local", root };
      }
      if (mode !== "local") return { kind: "proxy" };
      const why = root === undefined ? "no mount is named for it" : `${root} does not hold it`;
      throw new DsmError("GROUP_UNAVAILABLE", `group ${group} is not mounted here: ${why}`, {
        remedy: "mount it and name it with --mounts, or set delivery to auto or proxy",
      });
    },
  };
}

/** Whether the file system of a group is mounted, as it was seen within the last second. */
class MountLooks {
  readonly #looks = new Map<string, { readonly atMs: number; readonly is: Promise<boolean> }>();

  isMounted(group: string, root: string, anew: boolean): Promise<boolean> {
    const nowMs = performance.now();
    const last = this.#looks.get(group);
    if (!anew && last !== undefined && nowMs - last.atMs < limits.rootLookMs) return last.is;
    const is = markedGroup(root).then(
      (marked) => marked === group,
      () => false,
    );
    this.#looks.set(group, { atMs: nowMs, is });
    return is;
  }
}

/** Whether some file may be sent from a mounted file system. */
export function mayBeLocal(
  choice: DeliveryMode | Deliveries,
  mounts: ReadonlyMap<string, string>,
): boolean {
  return [...mounts.keys()].some((group) => /^(?:auto|local)$/.test(modeOf(choice, group)));
}

function modeOf(choice: DeliveryMode | Deliveries, group: string): DeliveryMode {
  return typeof choice === "string" ? choice : (choice.byGroup.get(group) ?? choice.others);
}

/**
 * Playlists, manifests and texts that may name other files by relative URLs. A client resolves
 * those against the URL that it was redirected to (RFC 3986, section 5.1.3), whose capability is
 * for one file, so such a file is never redirected.
 */
function namesOthers({ fileId, mediaType }: FileInfo): boolean {
  const essence = essenceOf(mediaTypeFor(fileId, mediaType));
  return /^text\/(?:css|html|javascript|vtt)$|[/+]xml$|mpegurl$|^audio\/x-scpls$/.test(essence);
}
