import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Host, type HostBox, type HostProcess, tempDir } from "@dsm/testkit";

const dsm = resolve(import.meta.dir, "../../bin/dsm");

/** Each host has a network of its own, so all of a kind listen on one port. */
export const ports = { tracker: 7600, id: 7700, storage: 7800, gateway: 8080 } as const;
type Kind = keyof typeof ports;

export interface SiteShape {
  readonly box: HostBox;
  /** A catalog that every host can reach; a SQLite file on this machine's disk unless given. */
  readonly catalogUrl?: string;
  /** Names of hosts. */
  readonly trackers: readonly string[];
  readonly ids: readonly string[];
  readonly gateways: readonly string[];
  /** Each storage is named after its group and host, as `g1-h2`. */
  readonly storages: ReadonlyArray<{ group: string; host: string; root: string }>;
  /**
   * How gateways and commands find the trackers; every tracker's own address unless given, which
   * storages use in any case.
   */
  readonly trackerAddresses?: readonly string[];
  readonly delivery?: "auto" | "local" | "proxy" | "redirect";
  /** More variables for every role, as `DSM_TRASH_GRACE`. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One role of dsm as a process on a host. */
export class SiteRole {
  readonly kind: Kind;
  readonly host: Host;
  readonly #cmd: readonly string[];
  readonly #env: () => Record<string, string>;
  #process: HostProcess | undefined;

  constructor(kind: Kind, host: Host, args: readonly string[], env: () => Record<string, string>) {
    this.kind = kind;
    this.host = host;
    this.#cmd = [dsm, kind, ...args, "--json"];
    this.#env = env;
  }

  /** `host:port`, of the host's own address. */
  get endpoint(): string {
    return `${this.host.address}:${ports[this.kind]}`;
  }

  /** Starts it, also after its host was off. Resolves when it is ready. */
  async start(): Promise<void> {
    const ready = /"ready":true/;
    this.#process = await this.host.start({ cmd: this.#cmd, env: this.#env(), ready });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#running.stop("SIGKILL");
  }

  /** As an operator stops it. @returns the exit code */
  async terminate(): Promise<number> {
    this.signal("SIGTERM");
    return this.#running.exited;
  }

  /** SIGSTOP lets it hang, SIGCONT go on. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.#running.hostPid, name);
  }

  /** What it has logged. */
  log(): string {
    return this.#running.stderr();
  }

  get #running(): HostProcess {
    if (this.#process === undefined) throw new Error(`${this.#cmd.join(" ")} was not started`);
    return this.#process;
  }
}

/** dsm on the hosts of a box, each role as an operator runs it. */
export class Site implements AsyncDisposable {
  readonly trackers: SiteRole[] = [];
  readonly ids: SiteRole[] = [];
  readonly storages: SiteRole[] = [];
  readonly gateways: SiteRole[] = [];
  readonly secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  readonly writeKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  readonly secretFile: string;
  readonly catalogUrl: string;
  readonly #env: Record<string, string>;
  readonly #stack: AsyncDisposableStack;
  readonly #shape: SiteShape;

  private constructor(stack: AsyncDisposableStack, dir: string, shape: SiteShape) {
    this.#stack = stack;
    this.#shape = shape;
    this.secretFile = join(dir, "secret");
    this.catalogUrl = shape.catalogUrl ?? `sqlite:${join(dir, "catalog.db")}`;
    const host = (name: string) => shape.box.host(name);
    this.#env = {
      DSM_SECRET_FILE: this.secretFile,
      DSM_WRITE_KEY: this.writeKey,
      DSM_CATALOG: this.catalogUrl,
      DSM_TRACKERS: shape.trackerAddresses?.join(",") ?? this.#endpoints("tracker"),
      DSM_ID_SERVERS: this.#endpoints("id"),
      DSM_LOG_LEVEL: "info",
      ...shape.env,
    };
    const role = (kind: Kind, name: string, args: readonly string[]) => {
      return new SiteRole(kind, host(name), args, () => this.#env);
    };
    const everywhere = (kind: Kind) => `0.0.0.0:${ports[kind]}`;
    for (const name of shape.trackers) {
      this.trackers.push(role("tracker", name, ["--listen", everywhere("tracker")]));
    }
    for (const name of shape.ids) this.ids.push(role("id", name, ["--listen", everywhere("id")]));
    for (const storage of shape.storages) this.storages.push(this.#storage(storage));
    for (const name of shape.gateways) {
      const mounts = shape.storages
        .filter((storage) => storage.host === name)
        .map(({ group, root }) => `${group}=${root}`);
      const local = mounts.length === 0 ? [] : ["--mounts", mounts.join(",")];
      const how = ["--http", everywhere("gateway"), "--delivery", shape.delivery ?? "auto"];
      this.gateways.push(role("gateway", name, [...how, ...local]));
    }
  }

  /** Starts all of it, in the order in which an operator does. */
  static async open(shape: SiteShape): Promise<Site> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const site = new Site(stack, dir.path, shape);
    await writeFile(join(dir.path, "secret"), site.secret);
    await chmod(join(dir.path, "secret"), 0o600);
    for (const { root } of shape.storages) await mkdir(root, { recursive: true });
    await site.run(shape.trackers[0] ?? "", "catalog", "migrate");
    for (const role of site.roles) await role.start();
    stack.move();
    return site;
  }

  /** One that was not there at first, and runs when this resolves. */
  async addStorage(storage: SiteShape["storages"][number]): Promise<void> {
    const added = this.#storage(storage);
    this.storages.push(added);
    await added.start();
  }

  get roles(): SiteRole[] {
    return [...this.trackers, ...this.ids, ...this.storages, ...this.gateways];
  }

  /** Of one host, in the order in which they are started. */
  rolesOn(host: string): SiteRole[] {
    return this.roles.filter((role) => role.host.name === host);
  }

  /** Runs one `dsm` command on a host. @returns its stdout @throws Error with all that it said */
  run(host: string, ...args: string[]): Promise<string> {
    const env = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    return this.#shape.box.host(host).run(["env", ...env, dsm, ...args]);
  }

  #storage({ group, host: name, root }: SiteShape["storages"][number]): SiteRole {
    const host = this.#shape.box.host(name);
    const listen = `${host.address}:${ports.storage}`;
    const which = ["--id", `${group}-${name}`, "--group", group, "--root", root];
    const own = { DSM_TRACKERS: this.#endpoints("tracker") };
    const env = () => ({ ...this.#env, ...own });
    return new SiteRole("storage", host, [...which, "--listen", listen], env);
  }

  #endpoints(kind: "tracker" | "id"): string {
    const { box, trackers, ids } = this.#shape;
    const names = kind === "tracker" ? trackers : ids;
    return names.map((name) => `${box.host(name).address}:${ports[kind]}`).join(",");
  }

  /** The roles end with their hosts. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
