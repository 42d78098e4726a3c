import { statfs } from "node:fs/promises";

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What the file system of `path` says of its space; free is what an ordinary user may take. */
export async function spaceOf(path: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
