import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why no file system of a test's own can be mounted here; undefined when one can. */
export function mountMissing(): string | undefined {
  if (process.platform !== "linux") return "tmpfs is mounted on Linux only";
  if (process.getuid?.() !== 0) return "only root may mount";
  const tried = Bun.spawnSync(["unshare", "--mount", "true"]);
  return tried.success ? undefined : "this machine lets nobody mount";
}

/** A file system of its own that runs full soon and can be made to refuse writes. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async mount(sizeBytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), "dsm-small-disk-"));
    await run("mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path);
    return new SmallDisk(path);
  }

  readOnly(isReadOnly: boolean): Promise<void> {
    return run("mount", "-o", `remount,${isReadOnly ? "ro" : "rw"}`, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", "--lazy", this.path);
    await rm(this.path, { recursive: true, force: true });
  }
}

async function run(...command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  if ((await child.exited) === 0) return;
  throw new Error(`${command.join(" ")}: ${await new Response(child.stderr).text()}`);
}
