import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

const blockBytes = 64 * 1024;

/** Why no small disk can be had here; undefined when it can. */
export function smallDiskMissing(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "only root can mount a tmpfs";
}

/** A tmpfs of its own, which can be filled up and emptied again. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #janitor: Bun.Subprocess<"pipe">;
  readonly #filler: string;

  private constructor(path: string, janitor: Bun.Subprocess<"pipe">) {
    this.path = path;
    this.#janitor = janitor;
    this.#filler = join(path, "filler");
  }

  /** @throws Error with what mount said */
  static async mount(path: string, sizeBytes: number): Promise<SmallDisk> {
    await mkdir(path);
    const options = `size=${sizeBytes},mode=755`;
    const child = Bun.spawn(["mount", "-t", "tmpfs", "-o", options, "dsm-chaos", path], {
      stderr: "pipe",
    });
    if ((await child.exited) !== 0) throw new Error(`mount: ${await child.stderr.text()}`);
    return new SmallDisk(path, startJanitor(path));
  }

  /** Takes all space but `leftBytes`, while others write. */
  async fill(leftBytes: number): Promise<void> {
    const block = new Uint8Array(blockBytes);
    await using file = await open(this.#filler, "w");
    try {
      for (;;) {
        const { bavail, bsize } = await statfs(this.path);
        const sizeBytes = Math.min(bavail * bsize - leftBytes, blockBytes);
        if (sizeBytes <= 0) return;
        await file.write(block, 0, sizeBytes);
      }
    } catch (error) {
      // Others were faster, which is as full.
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    }
  }

  async empty(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#janitor.stdin.end();
    await this.#janitor.exited;
  }
}

/** Unmounts when this process ends, in whatever way: its end of the pipe closes then. */
function startJanitor(path: string): Bun.Subprocess<"pipe"> {
  const script = 'trap "" INT TERM HUP; cat >/dev/null; umount -l -- "$0"';
  const janitor = Bun.spawn(["sh", "-c", script, path], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  janitor.unref();
  return janitor;
}
