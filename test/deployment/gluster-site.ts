import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  gluster,
  healBacklog,
  type Host,
  HostBox,
  mountVolume,
  startGlusterd,
  tempDir,
  until,
} from "@dsm/testkit";
import { MovingAddresses } from "./moving-addresses.ts";
import { ports, Site, type SiteShape } from "./site.ts";
import { Traffic } from "./traffic.ts";

const deploy = resolve(import.meta.dir, "../../deploy/glusterfs");
const prepareGroup = join(deploy, "prepare-group");
const mountUnit = join(deploy, "mnt-g1.mount");
const volume = "g1";
const storageHosts = ["st1", "st2", "st3"] as const;
/** Has nothing, until it takes the place of another one. */
const spareHost = "st4";
const trackerHosts = ["tr1", "tr2"] as const;
const gatewayHosts = ["gw1", "gw2"] as const;
/** Where each host sees its own disk for bricks. */
const bricksAt = "/mnt";

/**
 * One group on three hosts with a volume of GlusterFS, as an operator prepares it: each has a
 * brick and a storage. Trackers and ID servers have two hosts, and so have gateways, whose address
 * moves between them.
 */
export class GlusterSite implements AsyncDisposable {
  readonly box: HostBox;
  readonly site: Site;
  readonly addresses: MovingAddresses;
  readonly root: string;
  readonly #stack: AsyncDisposableStack;
  #users = 0;

  private constructor(
    stack: AsyncDisposableStack,
    { box, site, addresses, root }: Pick<GlusterSite, "box" | "site" | "addresses" | "root">,
  ) {
    this.#stack = stack;
    this.box = box;
    this.site = site;
    this.addresses = addresses;
    this.root = root;
  }

  /** @param more of what the site is to be like @param prepare more arguments of prepare-group */
  static async open(
    more: Partial<SiteShape> = {},
    prepare: readonly string[] = [],
  ): Promise<GlusterSite> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const box = stack.use(
      await HostBox.open({
        hosts: [...storageHosts, spareHost, ...trackerHosts, ...gatewayHosts, "client"],
      }),
    );
    const root = join(dir.path, volume);
    const hosts = storageHosts.map((name) => box.host(name));
    await Promise.all(hosts.map(glusterOn));
    const terms = ["--volume", volume, "--brick", `${bricksAt}/${volume}`, "--force"];
    await box.host("st1").run([prepareGroup, ...terms, ...prepare, ...storageHosts]);
    for (const host of hosts) await mount(host, root);
    const site = stack.use(
      await Site.open({
        box,
        trackers: trackerHosts,
        ids: trackerHosts,
        storages: storageHosts.map((host) => ({ group: "g1", host, root })),
        gateways: gatewayHosts,
        delivery: "proxy",
        ...more,
      }),
    );
    const { secretFile } = site;
    const shape = { box, gateways: gatewayHosts, trackers: trackerHosts, secretFile };
    const addresses = new MovingAddresses(shape);
    await addresses.keep();
    return new GlusterSite(stack.move(), { box, site, addresses, root });
  }

  /** A host on which something runs, by name. */
  host(name: string): Host {
    return this.box.host(name);
  }

  /** Through the address of the gateways, for a user of its own. */
  traffic(): Promise<Traffic> {
    const user = `user${this.#users++}`;
    const http = `http://${MovingAddresses.gateways}:${ports.gateway}`;
    return Traffic.start(this.host("client"), { http, writeKey: this.site.writeKey, user });
  }

  /** Switches hosts on that were off, each with all that ran there. */
  async bootAll(names: readonly string[]): Promise<void> {
    const hosts = names.map((name) => this.host(name));
    for (const host of hosts) await host.boot();
    await Promise.all(
      hosts.filter(({ name }) => isStorageHost(name)).map((host) => glusterOn(host)),
    );
    for (const host of hosts) if (isStorageHost(host.name)) await mount(host, this.root);
    for (const role of this.site.roles) if (hosts.includes(role.host)) await role.start();
    for (const host of hosts) if (!isStorageHost(host.name)) await this.addresses.keepOn(host);
  }

  /** The host of a brick is lost for good: the spare host gets its brick and a storage. */
  async replace(lost: string): Promise<void> {
    const survivor = this.host(storageHosts.find((name) => name !== lost) ?? "");
    const spare = this.host(spareHost);
    await glusterOn(spare);
    await gluster(survivor, "peer", "probe", spareHost);
    const bricks = [lost, spareHost].map((name) => `${name}:${bricksAt}/${volume}`);
    await until("one is known to be away, and the new one to be there", async () => {
      const known = await gluster(survivor, "peer", "status");
      return (
        known.includes("Disconnected") && known.split("Peer in Cluster (Connected)").length > 2
      );
    });
    await gluster(survivor, "volume", "replace-brick", volume, ...bricks, "commit", "force");
    await gluster(survivor, "peer", "detach", lost, "force");
    await mount(spare, this.root);
    await this.site.addStorage({ group: "g1", host: spareHost, root: this.root });
    await this.site.run("gw1", "storage", "remove", `g1-${lost}`);
  }

  /** Resolves when every brick has all that the others have. */
  async healed(): Promise<void> {
    const host = this.host("st2");
    const isHealed = async () => {
      // The daemon looks once a minute at what it found busy before; asked, it looks now.
      await gluster(host, "volume", "heal", volume).catch(() => "not yet");
      return (await healBacklog(host, volume)) === 0;
    };
    await until("all is healed", isHealed, 60_000);
  }

  /** SHA-256 of each file of a host's brick by its path, without what GlusterFS keeps there. */
  async brick(name: string): Promise<Map<string, string>> {
    const find = `cd ${bricksAt}/${volume} && find . -path ./.glusterfs -prune -o -type f -print0`;
    const said = await this.host(name).run(["sh", "-c", `${find} | xargs -0 sha256sum`]);
    const lines = said.split("\n").filter(Boolean);
    return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** As the mount unit does it, which is started again until the bricks are there. */
async function mount(host: Host, root: string): Promise<void> {
  const unit = await Bun.file(mountUnit).text();
  const others = storageHosts.filter((name) => name !== host.name).join(":");
  const options = /^Options=_netdev,(.*)$/m.exec(unit)?.[1]?.replace("st2:st3", others) ?? "";
  await until(`the volume is mounted on ${host.name}`, () =>
    mountVolume(host, `${host.name}:/${volume}`, root, options).then(
      () => true,
      () => false,
    ),
  );
}

function isStorageHost(name: string): boolean {
  return name.startsWith("st");
}

async function glusterOn(host: Host): Promise<void> {
  await mkdir(join(host.dir, "bound", bricksAt), { recursive: true });
  await host.bind(bricksAt);
  await startGlusterd(host);
}
