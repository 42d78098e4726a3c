import { statfs } from "node:fs/promises";
import type { Log } from "@dsm/log";

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const refreshMs = 1_000;

/** The space of a group file system, looked at once a second so that no request waits for it. */
export class SpaceWatch implements Disposable {
  readonly #root: string;
  readonly #timer: Timer;
  #now: Space;

  private constructor(root: string, space: Space, log: Log) {
    this.#root = root;
    this.#now = space;
    const failed = (err: unknown) => log.warn({ err, root }, "space cannot be read");
    this.#timer = setInterval(() => void this.refresh().catch(failed), refreshMs);
    this.#timer.unref();
  }

  static async open(root: string, log: Log): Promise<SpaceWatch> {
    return new SpaceWatch(root, await spaceOf(root), log);
  }

  get now(): Space {
    return this.#now;
  }

  async refresh(): Promise<Space> {
    return (this.#now = await spaceOf(this.#root));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** What the file system of `path` says of its space; free is what an ordinary user may take. */
async function spaceOf(path: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}
