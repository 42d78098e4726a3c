import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ProcessOptions, startProcess, type TestProcess } from "../process.ts";
import { until } from "../until.ts";
import { childrenOf, Namespace } from "./namespace.ts";
import { runTool } from "./run-tool.ts";

/** What a host is before it runs, and what remains of it while it is off. */
export interface HostTerms {
  readonly name: string;
  readonly address: string;
  /** Its disk: what lies here outlives the host. */
  readonly dir: string;
  /** The lines of /etc/hosts. */
  readonly hosts: string;
  /** Connects its first network card to the switch. */
  readonly plugIn: (pid: number) => Promise<void>;
  /** Pulls the cable. */
  readonly unplug: () => Promise<void>;
}

/** A process on a host. */
export interface HostProcess extends TestProcess {
  /** Of the process itself and not of what brought it there; SIGSTOP goes here. */
  readonly hostPid: number;
}

/**
 * A host of its own on this machine: network, mounts, processes and name are its own, files are
 * those of the machine, but for /run, /etc/hosts and what is bound to the host's disk.
 */
export class Host implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly dir: string;
  readonly #terms: HostTerms;
  #namespace: Namespace | undefined;

  constructor(terms: HostTerms) {
    this.name = terms.name;
    this.address = terms.address;
    this.dir = terms.dir;
    this.#terms = terms;
  }

  get isOn(): boolean {
    return this.#namespace !== undefined;
  }

  /** Switches it on. What ran there before does not run again by itself. */
  async boot(): Promise<void> {
    if (this.isOn) throw new Error(`host ${this.name} is on already`);
    const hosts = join(this.dir, "etc-hosts");
    await writeFile(hosts, this.#terms.hosts);
    await using cleanup = new AsyncDisposableStack();
    const namespace = cleanup.use(await Namespace.open());
    const run = (cmd: readonly string[]) => runTool(namespace.command(cmd));
    await run(["hostname", this.name]);
    await run(["mount", "-t", "tmpfs", "none", "/run"]);
    await run(["mount", "--bind", hosts, "/etc/hosts"]);
    await this.#terms.plugIn(namespace.pid);
    this.#namespace = namespace;
    cleanup.move();
  }

  /** As when its power fails: nothing that it was about to say is said, no connection is closed. */
  async kill(): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined) return;
    this.#namespace = undefined;
    await this.#terms.unplug();
    await namespace[Symbol.asyncDispose]();
  }

  /** Lets a folder of the machine be one of the host's own disk, which must be there. */
  async bind(path: string): Promise<void> {
    const own = join(this.dir, "bound", path);
    await mkdir(own, { recursive: true });
    await this.run(["mount", "--bind", own, path]);
  }

  /** Runs a command there to its end. @returns its stdout @throws Error with all that it said */
  run(cmd: readonly string[]): Promise<string> {
    return runTool(this.#on.command(cmd));
  }

  /** Starts a process there, which is killed with the host or with the scope. */
  async start(options: ProcessOptions): Promise<HostProcess> {
    const started = await startProcess({ ...options, cmd: this.#on.command(options.cmd) });
    const hostPid = await until("the process is there", async () => {
      return (await childrenOf(started.pid))[0] ?? (started.isRunning() ? undefined : -1);
    });
    return { ...started, hostPid };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #on(): Namespace {
    if (this.#namespace === undefined) throw new Error(`host ${this.name} is off`);
    return this.#namespace;
  }
}
