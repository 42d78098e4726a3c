import { statfs } from "node:fs/promises";
import type { Log } from "@dsm/log";

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const refreshMs = 1_000;
const beatPatienceMs = 200;

/** The space of a group file system, looked at once a second so that no request waits for it. */
export class SpaceWatch implements Disposable {
  readonly #root: string;
  readonly #timer: Timer;
  #now: Space;
  #looking: Promise<Space> | undefined;

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

  /** One at a time: a mount that hangs holds up one look, and not one more each second. */
  refresh(): Promise<Space> {
    this.#looking ??= spaceOf(this.#root)
      .then((space) => (this.#now = space))
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Looks again, and tells what was seen last where that fails or takes too long for a beat. */
  async soon(): Promise<Space> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, beatPatienceMs);
    // The watch says in the log why it fails.
    await Promise.race([this.refresh().catch(() => this.#now), late]);
    clearTimeout(timer);
    return this.#now;
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
