import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startProcess, tempDir, type TestProcess } from "@dsm/testkit";

const dsm = resolve(import.meta.dir, "../../bin/dsm");

export interface Shape {
  /** `sqlite:…` in the data folder unless given. */
  readonly catalogUrl?: string;
  readonly delivery?: "local" | "redirect" | "proxy";
  readonly trackers?: number;
  readonly storages?: number;
  readonly heartbeatInterval?: string;
  /** More variables for every role, as `DSM_TRASH_GRACE`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One role as its own process, that comes back on the port that it had. */
export class RoleProcess implements AsyncDisposable {
  readonly #args: readonly string[];
  readonly #listenFlag: string;
  readonly #env: Record<string, string>;
  #process: TestProcess | undefined;
  #endpoint = "127.0.0.1:0";

  constructor(args: readonly string[], listenFlag: string, env: Record<string, string>) {
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
    const cmd = [dsm, ...this.#args, this.#listenFlag, this.#endpoint, "--json"];
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
  gateway!: RoleProcess;
  readonly dataDir: string;
  readonly #stack: AsyncDisposableStack;
  readonly secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
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

  get http(): string {
    return `http://${this.gateway.endpoint}`;
  }

  groupRoot(): string {
    return join(this.dataDir, "g1");
  }

  /** Runs one `dsm` command to its end. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    await using child = await startProcess({ cmd: [dsm, ...args], env: this.env });
    const code = await child.exited;
    await child.stop();
    return { code, stdout: child.stdout(), stderr: child.stderr() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #start(shape: Shape): Promise<void> {
    const secretFile = join(this.dataDir, "secret");
    await Bun.write(secretFile, this.secret);
    await chmod(secretFile, 0o600);
    const catalog = shape.catalogUrl ?? `sqlite:${join(this.dataDir, "catalog.db")}`;
    const env = { DSM_SECRET_FILE: secretFile, DSM_CATALOG: catalog, DSM_LOG_LEVEL: "warn" };
    this.env = { ...this.env, ...shape.env, ...env };
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
    this.gateway = await this.#role(["gateway", "--delivery", delivery, ...mounts], "--http");
  }

  async #role(args: readonly string[], listenFlag = "--listen"): Promise<RoleProcess> {
    const role = this.#stack.use(new RoleProcess(args, listenFlag, { ...this.env }));
    await role.start();
    return role;
  }
}
