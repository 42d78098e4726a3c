import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startProcess, type TestProcess } from "../process.ts";
import { tempDir } from "../temp-dir.ts";
import { until } from "../until.ts";

/** What a rule can meddle with; the operations of FUSE. */
export type FaultyOperation =
  | "create"
  | "fsync"
  | "fsyncdir"
  | "link"
  | "mkdir"
  | "open"
  | "read"
  | "rename"
  | "unlink"
  | "write";

export interface FaultRule {
  readonly op: FaultyOperation;
  /** A regular expression that finds the path below the mount, which begins with a slash. */
  readonly path?: string;
  readonly error?: "EIO" | "ENOSPC" | "EDQUOT" | "EROFS" | "ENODEV" | "ESTALE";
  /** Instead of an error: a write takes so many bytes. */
  readonly short?: number;
  /** So many pass before. */
  readonly after?: number;
  /** So many are met; all, without it. */
  readonly times?: number;
}

/** Why there can be no faulty file system on this machine; undefined where there can. */
export const faultyFsMissing = missing();

const python = "/usr/bin/python3";
const script = resolve(import.meta.dir, "faulty-fs.py");

/**
 * A file system over a folder of its own that fails where it is told to, and that tells after a
 * power cut what had been made durable. It is FUSE, as a mount of GlusterFS is.
 */
export class FaultyFs implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: TestProcess;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(dir: string, server: TestProcess, cleanup: AsyncDisposableStack) {
    this.#dir = dir;
    this.#process = server;
    this.#cleanup = cleanup;
  }

  static async mount(): Promise<FaultyFs> {
    await using cleanup = new AsyncDisposableStack();
    const dir = cleanup.use(await tempDir()).path;
    for (const name of ["source", "survived", "mount"]) await mkdir(join(dir, name));
    const [source = "", survived = "", mount = "", control = ""] = [
      "source",
      "survived",
      "mount",
      "control.json",
    ].map((name) => join(dir, name));
    await Bun.write(control, JSON.stringify({ rules: [], cut: false }));
    // Lets the mount go whatever has become of the process behind it.
    cleanup.defer(() => unmount(mount));
    const server = cleanup.use(
      await startProcess({ cmd: [python, script, source, survived, mount, control] }),
    );
    const outside = (await stat(dir)).dev;
    await until("it is mounted", async () => (await stat(mount)).dev !== outside);
    return new FaultyFs(dir, server, cleanup.move());
  }

  /** Where it is mounted. */
  get path(): string {
    return join(this.#dir, "mount");
  }

  /** The same files where nothing fails: the folder behind the mount. */
  get source(): string {
    return join(this.#dir, "source");
  }

  /** The operations that rules met since the mount, oldest first. */
  get hits(): Array<{ op: string; path: string }> {
    return this.#lines().flatMap(({ hit }) =>
      hit === undefined ? [] : [{ op: hit[0], path: hit[1] }],
    );
  }

  /**
   * To the process behind the mount: stopped, every use of the file system hangs until it goes on;
   * killed, every use fails with ENOTCONN until it is unmounted.
   */
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    process.kill(this.#process.pid, signal);
  }

  /** These rules, and none of those before. */
  async inject(...rules: FaultRule[]): Promise<void> {
    await this.#control({ rules, cut: false });
  }

  /**
   * From now on nothing works any more. To be called when those who use it are dead or may be.
   * @returns the folder of what had been made durable
   */
  async powerCut(): Promise<string> {
    await this.#control({ rules: [], cut: true });
    // It looks at what it was told with the next operation, which fails of course.
    await stat(join(this.path, "poke")).catch(() => undefined);
    await until("the power is cut", () => this.#lines().some(({ cut }) => cut === true));
    return join(this.#dir, "survived", "after");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  #lines(): Array<{ hit?: [string, string]; cut?: boolean }> {
    const lines = this.#process.stdout().split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as { hit?: [string, string]; cut?: boolean });
  }

  async #control(control: { rules: readonly FaultRule[]; cut: boolean }): Promise<void> {
    const path = join(this.#dir, "control.json");
    // In one step, so that half of it is never read.
    await Bun.write(`${path}.new`, JSON.stringify(control));
    await rename(`${path}.new`, path);
  }
}

async function unmount(path: string): Promise<void> {
  await Bun.spawn(["umount", "--lazy", "--quiet", path], { stderr: "ignore" }).exited;
  await rm(path, { recursive: true, force: true });
}

function missing(): string | undefined {
  if (process.getuid?.() !== 0) return "root is needed to mount";
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  if (!existsSync("/usr/lib/python3/dist-packages/fusepy.py")) {
    return "Debian's python3-fusepy is not installed";
  }
  return undefined;
}
