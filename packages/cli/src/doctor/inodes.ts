import { type Seen, warning } from "./finding.ts";

/** Of all inodes; a file takes one, and a directory one for each thousand. */
const freeShareNoted = 0.05;

/** Nothing where enough are free, or they are made as they are needed, as btrfs does. */
export function inodeFindings(
  object: string,
  { inodes, freeInodes }: { readonly inodes: number; readonly freeInodes: number },
): Seen[] {
  if (inodes === 0 || freeInodes / inodes >= freeShareNoted) return [];
  const what = `only ${freeInodes} of ${inodes} inodes are free`;
  return [warning(object, what, "make the file system anew with more inodes, or use XFS")];
}
