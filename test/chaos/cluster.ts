import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DsmClient } from "@dsm/client";
import { startProcess, tempDir, until } from "@dsm/testkit";
import { type CatalogServer, type Setting, startCatalog } from "./catalog-server.ts";
import { Relay } from "./relay.ts";
import { Role } from "./role.ts";
import { SmallDisk, smallDiskMissing } from "./small-disk.ts";

const dsm = resolve(import.meta.dir, "../../bin/dsm");
const smallDiskBytes = 128 * 1024 * 1024;
const healTimeoutMs = 60_000;
/** How long the bytes of a deleted or replaced file are kept. */
export const trashGraceMs = 16_000;
/** How old an answer of the gateway with a memory may be. */
export const freshnessMs = 500;

export const groups = ["g1", "g2"] as const;
const beats = ["--heartbeat-interval", "200ms"];
const keeping = ["--trash-grace", `${trashGraceMs}ms`, "--reap-interval", "1s"];
/** So small that a disk is really full at times, and not only said to be. */
const reserve = ["--reserve", "256KiB"];

/** A server that others reach through a relay. */
export interface Guarded {
  readonly role: Role;
  readonly relay: Relay;
}

/**
 * Two trackers, two ID servers, two groups of two storages and two gateways, each its own `dsm`
 * process. Whoever asks a tracker, an ID server or a storage goes through a relay.
 */
export class ChaosCluster implements AsyncDisposable {
  readonly trackers: Guarded[] = [];
  readonly ids: Guarded[] = [];
  readonly storages: Guarded[] = [];
  readonly gateways: Role[] = [];
  readonly secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  readonly #stack = new AsyncDisposableStack();
  readonly #onDied: (role: Role, code: number) => void;
  #env: Record<string, string> = {};
  catalog!: CatalogServer;
  /** The disk of the second group; undefined where none can be mounted. */
  disk: SmallDisk | undefined;
  dataDir = "";

  private constructor(onDied: (role: Role, code: number) => void) {
    this.#onDied = onDied;
  }

  static async start(
    setting: Setting,
    onDied: (role: Role, code: number) => void,
  ): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(onDied);
    try {
      await cluster.#start(setting);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get guarded(): Guarded[] {
    return [...this.trackers, ...this.ids, ...this.storages];
  }

  get roles(): Role[] {
    return [...this.guarded.map(({ role }) => role), ...this.gateways];
  }

  /** The folder of a group; of the second one it is on the small disk. */
  groupRoot(group: string): string {
    return join(group === "g2" && this.disk !== undefined ? this.disk.path : this.dataDir, group);
  }

  newClient(): DsmClient {
    return new DsmClient({ trackers: endpointsOf(this.trackers), secret: this.secret });
  }

  /** Runs one `dsm` command to its end. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    await using child = await startProcess({ cmd: [dsm, ...args], env: this.#env });
    const code = await child.exited;
    await child.stop();
    return { code, stdout: child.stdout(), stderr: child.stderr() };
  }

  /** Resolves when every tracker knows every storage as alive and both gateways answer. */
  async untilWhole(): Promise<void> {
    for (const { relay } of this.guarded) relay.clear();
    await using client = this.newClient();
    await until(
      "every tracker sees every storage",
      async () => {
        const results = await client.statusAll();
        return results.every(({ response }) => {
          const members = response?.groups.flatMap((group) => group.members) ?? [];
          return members.filter(({ online }) => online).length === this.storages.length;
        });
      },
      healTimeoutMs,
    );
    for (const gateway of this.gateways) {
      const isReady = () => fetch(`http://${gateway.endpoint}/readyz`).then(isOk, () => false);
      await until(`${gateway.name} is ready`, isReady, healTimeoutMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A process that stands still is killed as well, but its disk is busy until it is gone.
    await Promise.all(this.roles.map((role) => role[Symbol.asyncDispose]()));
    await this.#stack.disposeAsync();
  }

  async #start(setting: Setting): Promise<void> {
    this.dataDir = this.#stack.use(await tempDir()).path;
    await this.#mountDisk();
    this.catalog = this.#stack.use(await startCatalog(setting, this.dataDir));
    const secretFile = join(this.dataDir, "secret");
    await Bun.write(secretFile, this.secret);
    await chmod(secretFile, 0o600);
    this.#env = {
      DSM_SECRET_FILE: secretFile,
      DSM_CATALOG: this.catalog.url,
      DSM_LOG_LEVEL: "warn",
      // Gateways and clients here know all addresses, and nobody asks for health.
      DSM_DRAIN_DELAY: "0s",
    };
    const migrated = await this.run("catalog", "migrate");
    if (migrated.code !== 0) throw new Error(migrated.stderr);
    for (const name of ["1", "2"]) {
      this.trackers.push(await this.#guarded(`tracker ${name}`, ["tracker", ...beats]));
      this.ids.push(await this.#guarded(`id ${name}`, ["id", "--segment-ids", "512"]));
    }
    this.#env["DSM_TRACKERS"] = endpointsOf(this.trackers).join(",");
    this.#env["DSM_ID_SERVERS"] = endpointsOf(this.ids).join(",");
    await this.#startStorages();
    await this.#startGateways();
    await this.untilWhole();
  }

  async #mountDisk(): Promise<void> {
    if (smallDiskMissing() === undefined) {
      const path = join(this.dataDir, "small-disk");
      this.disk = this.#stack.use(await SmallDisk.mount(path, smallDiskBytes));
    }
    for (const group of groups) await mkdir(this.groupRoot(group));
  }

  async #startStorages(): Promise<void> {
    for (const group of groups) {
      const root = this.groupRoot(group);
      for (const member of ["a", "b"]) {
        const id = `${group}${member}`;
        const own = ["--id", id, "--group", group, "--root", root, "--lease-ids", "64"];
        const args = ["storage", ...own, ...keeping, ...reserve];
        this.storages.push(await this.#guarded(`storage ${id}`, args, "--data-url"));
      }
    }
  }

  async #startGateways(): Promise<void> {
    const mounts = groups.map((group) => `${group}=${this.groupRoot(group)}`).join(",");
    const shapes = {
      local: ["--delivery", "local", "--mounts", mounts, "--outage-grace", "0ms"],
      // With the longest outage it must be less than the trash grace: what it remembers is there.
      proxy: ["--delivery", "proxy", "--upstream-stall", "2s", "--outage-grace", "3s"],
    };
    const freshness = { local: `${freshnessMs}ms`, proxy: "0ms" };
    for (const name of ["local", "proxy"] as const) {
      const args = ["gateway", ...shapes[name], "--freshness", freshness[name]];
      this.gateways.push(await this.#role(`gateway ${name}`, args, "--http"));
    }
  }

  async #guarded(name: string, args: readonly string[], urlFlag?: string): Promise<Guarded> {
    const relay = this.#stack.use(await Relay.start());
    const url = urlFlag === undefined ? [] : [urlFlag, `http://${relay.endpoint}`];
    const role = await this.#role(name, [...args, ...url], "--listen", (it) => {
      relay.targetPort = it.port;
    });
    return { role, relay };
  }

  async #role(
    name: string,
    args: readonly string[],
    listenFlag: "--listen" | "--http",
    onMade: (role: Role) => void = () => {},
  ): Promise<Role> {
    const env = { ...this.#env };
    const role = this.#stack.use(new Role({ name, args, listenFlag, env, onDied: this.#onDied }));
    onMade(role);
    await role.start();
    return role;
  }
}

function endpointsOf(guarded: readonly Guarded[]): string[] {
  return guarded.map(({ relay }) => relay.endpoint);
}

function isOk(response: Response): boolean {
  return response.ok;
}
