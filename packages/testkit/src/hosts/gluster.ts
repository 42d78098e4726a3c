import { mkdir } from "node:fs/promises";
import { until } from "../until.ts";
import type { Host } from "./host.ts";

/** What GlusterFS keeps on the disk of a host, and therefore has after a power cut. */
const ownFolders = ["/var/lib/glusterd", "/var/log/glusterfs"];
const commandTimeoutS = 60;

const missingTools = ["glusterd", "gluster", "mount.glusterfs"].filter(
  (tool) => Bun.which(tool) === null,
);
/** Why GlusterFS cannot be tested here; undefined where it can. */
export const glusterMissing =
  missingTools.length === 0 ? undefined : `not installed: ${missingTools.join(", ")}`;

/**
 * Runs glusterd on a host that is on, with what it knew before; the bricks of volumes that were
 * started come with it.
 */
export async function startGlusterd(host: Host): Promise<void> {
  for (const folder of ownFolders) await host.bind(folder);
  await host.run(["mkdir", "-p", "/run/gluster"]);
  const glusterd = await host.start({ cmd: ["glusterd", "--no-daemon"] });
  await until(`glusterd answers on ${host.name}`, async () => {
    if (!glusterd.isRunning()) throw new Error(`glusterd has ended: ${glusterd.stderr()}`);
    return gluster(host, "pool", "list").then(
      () => true,
      () => false,
    );
  });
}

/** One command of GlusterFS. @returns its stdout @throws Error with all that it said */
export function gluster(host: Host, ...args: readonly string[]): Promise<string> {
  return host.run(["timeout", String(commandTimeoutS), "gluster", "--mode=script", ...args]);
}

/**
 * Mounts a volume on a host, seen by that host alone.
 * @param from `HOST:/VOLUME` @param at the same path on all hosts @param options as of mount(8)
 */
export async function mountVolume(
  host: Host,
  from: string,
  at: string,
  options: string,
): Promise<void> {
  await mkdir(at, { recursive: true });
  const mount = ["mount", "-t", "glusterfs", "-o", options, from, at];
  await host.run(["timeout", String(commandTimeoutS), ...mount]);
}

/** Kills the bricks of a host with -9; glusterd stays and does not start them again. */
export async function killBricks(host: Host): Promise<void> {
  await host.run(["pkill", "-KILL", "-x", "glusterfsd"]);
}

/** Starts the bricks that do not run. */
export async function startBricks(host: Host, volume: string): Promise<void> {
  await gluster(host, "volume", "start", volume, "force");
}

/** How many entries wait to be healed; undefined while some brick cannot tell. */
export async function healBacklog(host: Host, volume: string): Promise<number | undefined> {
  const said = await gluster(host, "volume", "heal", volume, "info").catch(() => "");
  const counts = [...said.matchAll(/^Number of entries: (\S+)$/gm)].map(([, n]) => Number(n));
  if (counts.length === 0 || counts.some(Number.isNaN)) return undefined;
  return counts.reduce((sum, n) => sum + n, 0);
}
