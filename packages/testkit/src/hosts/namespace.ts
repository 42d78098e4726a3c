import { readFile } from "node:fs/promises";
import { until } from "../until.ts";

/** The first process of a namespace: it reaps what daemons leave, and does nothing else. */
const init = "1 while wait != -1 || select(undef, undef, undef, 0.1) >= 0";

/**
 * Namespaces of every kind that a host has for itself, held by one process. They have no names in
 * the file system: however the test ends, that process is killed, the kernel kills all others in
 * there, and mounts, links and addresses are gone with the last of them.
 */
export class Namespace implements AsyncDisposable {
  /** Of its first process, as the test sees it. */
  readonly pid: number;
  readonly #holder: Bun.Subprocess;

  private constructor(holder: Bun.Subprocess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  static async open(): Promise<Namespace> {
    const kinds = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"];
    const unshare = ["unshare", ...kinds, "--kill-child=KILL", "perl", "-e", init];
    const holder = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...unshare], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
    });
    const pid = await until("the namespaces are there", async () => {
      if (holder.exitCode !== null) throw new Error("unshare failed: is this process root?");
      return perlBelow(holder.pid);
    }).catch((error: unknown) => {
      holder.kill("SIGKILL");
      throw error;
    });
    return new Namespace(holder, pid);
  }

  /** A command that runs in there, and is killed with whoever runs it. */
  command(cmd: readonly string[]): string[] {
    const enter = ["nsenter", `--target=${this.pid}`, "--all", "--"];
    return [...enter, "setpriv", "--pdeathsig", "KILL", ...cmd];
  }

  /** Kills all that runs in there at once, and what it was made of goes with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
    await until("its processes are gone", async () => (await commandOf(this.pid)) === "");
  }
}

/** The init of a holder that has come as far as to run it: from then on /proc is its own. */
async function perlBelow(pid: number): Promise<number | undefined> {
  const child = (await childrenOf(pid))[0];
  if (child === undefined) return undefined;
  return (await commandOf(child)).startsWith("perl") ? child : undefined;
}

export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return children.split(" ").filter(Boolean).map(Number);
}

async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}
