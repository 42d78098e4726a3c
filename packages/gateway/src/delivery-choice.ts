import { essenceOf, markedGroup, mediaTypeFor } from "@dsm/delivery";
import { DsmError, type FileInfo } from "@dsm/protocol";

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
  /** @throws DsmError GROUP_UNAVAILABLE in mode `local` for a group that is not mounted */
  wayOf(file: FileInfo): Promise<Way>;
}

/**
 * A mount counts only when it holds the marker of its group: the bare folder of a file system
 * that is not mounted would make every file look lost.
 */
export function deliveryFor(
  choice: DeliveryMode | Deliveries,
  mounts: ReadonlyMap<string, string>,
): Delivery {
  const proven = new Set<string>();
  return {
    async wayOf(file) {
      const { group } = file;
      const mode = modeOf(choice, group);
      if (mode === "proxy") return { kind: "proxy" };
      if (mode === "redirect" && !namesOthers(file)) return { kind: "redirect" };
      const root = mounts.get(group);
      if (root !== undefined && (proven.has(group) || (await markedGroup(root)) === group)) {
        proven.add(group);
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
