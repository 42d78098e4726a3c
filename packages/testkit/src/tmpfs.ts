import { statfs } from "node:fs/promises";
import { tempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

interface TmpfsOptions {
  readonly sizeBytes: number;
  /** How many files and folders there can be. */
  readonly inodes?: number;
}

/** A small file system in memory, to be filled up. */
export interface Tmpfs extends AsyncDisposable {
  readonly path: string;
  freeBytes(): Promise<number>;
}

/** Why there can be none on this machine; undefined where there can. */
export const tmpfsMissing = process.getuid?.() === 0 ? undefined : "root is needed to mount";

/**
 * It is mounted by a shell that waits for its standard input to end, as it does however the test
 * ends: so nothing stays mounted.
 */
export async function mountTmpfs({ sizeBytes, inodes = 0 }: TmpfsOptions): Promise<Tmpfs> {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(await tempDir());
  const mount = `mount -t tmpfs -o size=${sizeBytes},nr_inodes=${inodes} dsm-test "$1"`;
  const script = `${mount} && echo mounted && read -r _; umount --lazy "$1"`;
  const shell = Bun.spawn(["sh", "-c", script, "sh", dir.path], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  cleanup.defer(async () => {
    await shell.stdin.end();
    await shell.exited;
  });
  await until("it is mounted", async () => (await statfs(dir.path)).type === 0x01021994);
  const parts = cleanup.move();
  return {
    path: dir.path,
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(dir.path);
      return bavail * bsize;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
