import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startProcess, tempDir, type TestProcess } from "@dsm/testkit";

/** The command before its arguments: `dsm` of some version. */
export type Software = readonly string[];
export const thisDsm: Software = [resolve(import.meta.dir, "../../bin/dsm")];

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Shape {
  /** What all of it is started with; this checkout unless given. */
  readonly software?: Software;
  /** `sqlite:…` in the data folder unless given. */
  readonly catalogUrl?: string;
  readonly delivery?: "local" | "redirect" | "proxy";
  readonly trackers?: number;
  readonly storages?: number;
  readonly gateways?: number;
  readonly heartbeatInterval?: string;
  /** More variables for every role, as `DSM_TRASH_GRACE`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One role as its own process, that comes back on the port that it had. */
export class RoleProcess implements AsyncDisposable {
  /** What the next start runs. */
  software: Software;
  readonly #args: readonly string[];
  readonly #listenFlag: string;
  readonly #env: Record<string, string>;
  #process: TestProcess | undefined;
  #endpoint = "127.0.0.1:0";

  constructor(
    software: Software,
    args: readonly string[],
    listenFlag: string,
    env: Record<string, string>,
  ) {
    this.software = software;
    this.#args = args;
    this.#listenFlag = listenFlag;
    this.#env = env;
  }

  /** `host:port`. */
  get endpoint(): string {
    return this.#endpoint;
  }

  get pid(): number {
    return this.#running.pid;
  }

  async start(): Promise<void> {
    const cmd = [...this.software, ...this.#args, this.#listenFlag, this.#endpoint, "--json"];
    const ready = /"ready":true.*"endpoint":"(?:http:\/\/)?([^"]+)"/;
    this.#process = await startProcess({ cmd, env: this.#env, ready });
    this.#endpoint = this.#process.readyMatch?.[1] ?? this.#endpoint;
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#running.stop("SIGKILL");
  }

  /** As an operator stops it. @returns the exit code */
  async terminate(): Promise<number> {
    return this.#running.stop("SIGTERM");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  get #running(): TestProcess {
    if (this.#process === undefined) throw new Error(`${this.#args.join(" ")} was not started`);
    return this.#process;
  }
}

/** A whole cluster, each role as its own `dsm` process over real sockets. */
export class DsmProcesses implements AsyncDisposable {
  readonly trackers: RoleProcess[] = [];
  readonly ids: RoleProcess[] = [];
  readonly storages: RoleProcess[] = [];
  readonly gateways: RoleProcess[] = [];
  readonly dataDir: string;
  readonly #stack: AsyncDisposableStack;
  readonly secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  #software = thisDsm;
  /** What a `dsm` command needs to find this cluster. */
  env: Record<string, string> = {};

  private constructor(dataDir: string, stack: AsyncDisposableStack) {
    this.dataDir = dataDir;
    this.#stack = stack;
  }

  static async start(shape: Shape = {}): Promise<DsmProcesses> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const cluster = new DsmProcesses(dir.path, stack);
    try {
      await cluster.#start(shape);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The first one, which many a test is content with. */
  get gateway(): RoleProcess {
    const [first] = this.gateways;
    if (first === undefined) throw new Error("no gateway was started");
    return first;
  }

  get http(): string {
    return `http://${this.gateway.endpoint}`;
  }

  groupRoot(): string {
    return join(this.dataDir, "g1");
  }

  /** Every process, in the order in which they were started. */
  get roles(): RoleProcess[] {
    return [...this.trackers, ...this.ids, ...this.storages, ...this.gateways];
  }

  /** Runs one `dsm` command of the cluster's own software to its end. */
  run(...args: string[]): Promise<CommandResult> {
    return this.runWith(this.#software, ...args);
  }

  /** The same with other software. */
  async runWith(software: Software, ...args: string[]): Promise<CommandResult> {
    await using child = await startProcess({ cmd: [...software, ...args], env: this.env });
    const code = await child.exited;
    await child.stop();
    return { code, stdout: child.stdout(), stderr: child.stderr() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #start(shape: Shape): Promise<void> {
    this.#software = shape.software ?? thisDsm;
    const secretFile = join(this.dataDir, "secret");
    await Bun.write(secretFile, this.secret);
    await chmod(secretFile, 0o600);
    const catalog = shape.catalogUrl ?? `sqlite:${join(this.dataDir, "catalog.db")}`;
    const env = { DSM_SECRET_FILE: secretFile, DSM_CATALOG: catalog, DSM_LOG_LEVEL: "warn" };
    // Nobody looks after them, so nobody needs a notice.
    this.env = { ...this.env, DSM_DRAIN_DELAY: "0s", ...shape.env, ...env };
    const migrated = await this.run("catalog", "migrate");
    if (migrated.code !== 0) throw new Error(migrated.stderr);
    const beat = shape.heartbeatInterval ?? "200ms";
    for (let n = 0; n < (shape.trackers ?? 2); n++) {
      this.trackers.push(await this.#role(["tracker", "--heartbeat-interval", beat]));
    }
    for (let n = 0; n < 2; n++) this.ids.push(await this.#role(["id"]));
    this.env["DSM_TRACKERS"] = this.trackers.map((role) => role.endpoint).join(",");
    this.env["DSM_ID_SERVERS"] = this.ids.map((role) => role.endpoint).join(",");
    for (let n = 1; n <= (shape.storages ?? 2); n++) {
      const args = ["storage", "--id", `s${n}`, "--group", "g1", "--root", this.groupRoot()];
      this.storages.push(await this.#role(args));
    }
    const delivery = shape.delivery ?? "local";
    const mounts = delivery === "local" ? ["--mounts", `g1=${this.groupRoot()}`] : [];
    for (let n = 0; n < (shape.gateways ?? 1); n++) {
      const args = ["gateway", "--delivery", delivery, ...mounts];
      this.gateways.push(await this.#role(args, "--http"));
    }
  }

  async #role(args: readonly string[], listenFlag = "--listen"): Promise<RoleProcess> {
    const env = { ...this.env };
    const role = this.#stack.use(new RoleProcess(this.#software, args, listenFlag, env));
    await role.start();
    return role;
  }
}
