import { statfs } from "node:fs/promises";
import { release } from "node:os";

/** Whether one syncfs(2) makes durable all that was written to a file system, and tells errors. */
export interface SyncfsSupport {
  readonly isSafe: boolean;
  /** Why, or why not. */
  readonly why: string;
}

/**
 * Local file systems whose sync waits for the device and covers names as well as bytes, by the
 * magic number of statfs(2). FUSE, and so GlusterFS, is not among them: the kernel passes syncfs
 * on to no FUSE server but virtiofs. NFS and the rest are unknown to us.
 */
const localFileSystems = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
]);

/** Since Linux 5.8 syncfs reports what went wrong in write-back; before, it says all is well. */
const firstHonestKernel = { major: 5, minor: 8 };

export async function syncfsSupport(root: string): Promise<SyncfsSupport> {
  if (process.platform !== "linux") return { isSafe: false, why: "this is not Linux" };
  if (!reportsErrors(release())) {
    return { isSafe: false, why: `syncfs of Linux ${release()} does not report errors` };
  }
  const { type } = await statfs(root);
  const name = localFileSystems.get(type);
  const hex = `0x${type.toString(16)}`;
  if (name === undefined) return { isSafe: false, why: `its file system is of type ${hex}` };
  return { isSafe: true, why: `it is ${name}` };
}

/** @param kernel as uname -r says it, `6.1.0-18-amd64` */
export function reportsErrors(kernel: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  const { major: firstMajor, minor: firstMinor } = firstHonestKernel;
  if (Number(major) !== firstMajor) return Number(major) > firstMajor;
  return Number(minor) >= firstMinor;
}
