/** A mount of a volume on this host. */
interface MountedVolume {
  readonly volume: string;
  readonly at: string;
}

/**
 * The volume of GlusterFS that a path lies on.
 * @param mounts as /proc/self/mounts has them, where a space is written as `\040`
 * @returns undefined where it lies on another file system
 */
export function volumeAt(path: string, mounts: string): MountedVolume | undefined {
  let found: { at: string; from: string; type: string } | undefined;
  for (const line of mounts.split("\n")) {
    const [from = "", point = "", type = ""] = line.split(" ");
    const at = point.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const holds = at === "/" || path === at || path.startsWith(`${at}/`);
    // Of two mounts at one place the later one is on top.
    if (at !== "" && holds && at.length >= (found?.at.length ?? 0)) found = { at, from, type };
  }
  if (found?.type !== "fuse.glusterfs") return undefined;
  const volume = /^[^/]*:\/?([^/]+)/.exec(found.from)?.[1] ?? found.from;
  return { volume, at: found.at };
}

export interface VolumeOption {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
}

/** The table of deploy/glusterfs: option, value and, behind a `#`, the reason. */
export function wantedOptions(table: string): VolumeOption[] {
  return table.split("\n").flatMap((line) => {
    const [, name, value, reason] = /^([a-z][\w.-]*)\s+(\S+)\s+# (.+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || reason === undefined) return [];
    return [{ name, value, reason }];
  });
}

/** What `gluster volume get VOLUME all` prints; a default has `(DEFAULT)` behind it. */
export function optionsInForce(printed: string): Map<string, string> {
  const rows = [...printed.matchAll(/^([a-z][\w.-]*\.[\w.-]+)\s+(\S+)/gm)];
  return new Map(rows.map(([, name = "", value = ""]) => [name, value]));
}

const words: Readonly<Record<string, string>> = {
  true: "on",
  yes: "on",
  enable: "on",
  false: "off",
  no: "off",
  disable: "off",
};

export function isSameValue(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

function plain(value: string): string {
  return words[value.toLowerCase()] ?? value.toLowerCase();
}

interface Brick {
  readonly brick: string;
  /** Undefined while it is not connected. */
  readonly waiting?: number;
  readonly split?: number;
}

/** What `gluster volume heal VOLUME info summary` prints. */
export function bricksOf(printed: string): Brick[] {
  return printed.split(/^Brick /m).flatMap((part) => {
    const [brick = ""] = part.split("\n");
    if (!/^Status: /m.test(part)) return [];
    const count = (title: string) => Number(new RegExp(`^${title}: (\\S+)$`, "m").exec(part)?.[1]);
    const waiting = count("Total Number of entries");
    const split = count("Number of entries in split-brain");
    if (!/^Status: Connected$/m.test(part) || Number.isNaN(waiting)) return [{ brick }];
    return [{ brick, waiting, split: Number.isNaN(split) ? 0 : split }];
  });
}
