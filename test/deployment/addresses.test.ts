import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import {
  hasAddress,
  type Host,
  HostBox,
  type HostProcess,
  hostsMissing,
  keepalivedMissing,
  startKeepalived,
  tempDir,
  until,
} from "@dsm/testkit";
import { ports, Site, type SiteRole } from "./site.ts";
import { through } from "./through.ts";
import { Traffic, type TrafficFigures } from "./traffic.ts";

const folder = resolve(import.meta.dir, "../../deploy/keepalived");
const gatewaysAddress = HostBox.virtualAddress(1);
const trackersAddress = HostBox.virtualAddress(2);
const dsm = resolve(import.meta.dir, "../../bin/dsm");
/** What clients may see of a host that dies. */
const gapMaxMs = 5_000;

const stack = new AsyncDisposableStack();
let box: HostBox;
let site: Site;

const gatewayHosts = ["gw1", "gw2"];
const trackerHosts = ["tr1", "tr2"];

/** `@^NAME ADDRESS` for each: who they are to one another. */
function peers(names: readonly string[]): string {
  return names.map((name) => `@^${name} ${box.host(name).address}\n`).join("");
}

async function keepAddressesOn(host: Host): Promise<HostProcess> {
  return startKeepalived(host, {
    folder,
    values: {
      GATEWAYS_ADDRESS: `${gatewaysAddress}/24`,
      TRACKERS_ADDRESS: `${trackersAddress}/24`,
      CHECK_USER: "root",
      DSM: dsm,
      SECRET_FILE: site.secretFile,
    },
    files: {
      "dsm-gateway-peers.conf": peers(gatewayHosts),
      "dsm-tracker-peers.conf": peers(trackerHosts),
    },
  });
}

/** Who has the address, by name. */
async function holders(address: string): Promise<string[]> {
  const found = await Promise.all(
    box.hosts.map(async (host) => ((await hasAddress(host, address)) ? host.name : undefined)),
  );
  return found.flatMap((name) => name ?? []);
}

function holder(address: string): Promise<string> {
  return until(`one host has ${address}`, async () => {
    const found = await holders(address);
    return found.length === 1 ? found[0] : undefined;
  });
}

function roleOn(roles: readonly SiteRole[], host: string): SiteRole {
  const found = roles.find((role) => role.host.name === host);
  if (found === undefined) throw new Error(`nothing of the kind runs on ${host}`);
  return found;
}

async function restart(host: Host): Promise<void> {
  await host.boot();
  for (const role of site.rolesOn(host.name)) await role.start();
  const keepalived = await keepAddressesOn(host);
  await until("a check has passed", () => keepalived.stderr().includes("succeeded"));
}

let users = 0;

/** Traffic through the address while something happens, and what it saw of it. */
async function traffic(what: string, happens: () => Promise<void>): Promise<TrafficFigures> {
  const http = `http://${gatewaysAddress}:${ports.gateway}`;
  const terms = { http, writeKey: site.writeKey, user: `user${users++}` };
  const figures = await through(await Traffic.start(box.host("client"), terms), what, happens);
  expect(figures.longestReadGapMs).toBeLessThan(gapMaxMs);
  return figures;
}

const missing = hostsMissing ?? keepalivedMissing;

describe.skipIf(missing !== undefined)("addresses that Keepalived moves", () => {
  beforeAll(async () => {
    const disk = stack.use(await tempDir());
    const hosts = [...gatewayHosts, ...trackerHosts, "st1", "st2", "client"];
    box = stack.use(await HostBox.open({ hosts }));
    const root = join(disk.path, "g1");
    site = stack.use(
      await Site.open({
        box,
        trackers: trackerHosts,
        ids: trackerHosts,
        storages: ["st1", "st2"].map((host) => ({ group: "g1", host, root })),
        gateways: gatewayHosts,
        trackerAddresses: [`${trackersAddress}:${ports.tracker}`],
        delivery: "proxy",
      }),
    );
    for (const name of [...gatewayHosts, ...trackerHosts]) await keepAddressesOn(box.host(name));
    await holder(trackersAddress);
    await holder(gatewaysAddress);
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("the host of the gateway with the address dies, and comes back", async () => {
    const first = await holder(gatewaysAddress);
    await traffic("gateway host killed", async () => {
      await box.host(first).kill();
    });
    const second = await holder(gatewaysAddress);
    expect(second).not.toBe(first);
    // Nobody takes the address from who serves it well, so no connection breaks.
    const { reconnects, failedAttempts } = await traffic("gateway host back", () =>
      restart(box.host(first)),
    );
    expect({ reconnects, failedAttempts }).toEqual({ reconnects: 0, failedAttempts: 0 });
    expect(await holders(gatewaysAddress)).toEqual([second]);
  }, 60_000);

  test("a gateway hangs with the address, and goes on later", async () => {
    const first = await holder(gatewaysAddress);
    const hung = roleOn(site.gateways, first);
    await traffic("gateway stopped", async () => {
      hung.signal("SIGSTOP");
      await until("another one has it", async () => {
        const found = await holders(gatewaysAddress);
        return found.length === 1 && found[0] !== first;
      });
    });
    const { reconnects } = await traffic("gateway goes on", async () => hung.signal("SIGCONT"));
    expect(reconnects).toBe(0);
    expect(await holder(gatewaysAddress)).not.toBe(first);
  }, 60_000);

  test("the host of the tracker with the address dies", async () => {
    const first = await holder(trackersAddress);
    await traffic("tracker host killed", async () => {
      await box.host(first).kill();
    });
    expect(await holder(trackersAddress)).not.toBe(first);
    await traffic("tracker host back", () => restart(box.host(first)));
  }, 60_000);

  test("a split leaves both with the address, and its end one of them", async () => {
    await holder(gatewaysAddress);
    await traffic("split and healed", async () => {
      await box.network.cut(["gw1"], ["gw2"]);
      await until("both have it", async () => (await holders(gatewaysAddress)).length === 2);
      await box.network.heal();
      await holder(gatewaysAddress);
    });
  }, 60_000);
});
