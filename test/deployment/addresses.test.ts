import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import {
  hasAddress,
  type Host,
  HostBox,
  hostsMissing,
  keepalivedMissing,
  startKeepalived,
  tempDir,
  until,
} from "@dsm/testkit";
import { ports, Site, type SiteRole } from "./site.ts";
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

async function keepAddressesOn(host: Host): Promise<void> {
  await startKeepalived(host, {
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
  await keepAddressesOn(host);
}

let users = 0;

/** Traffic through the address while something happens, and what it saw of it. */
async function through(what: string, happens: () => Promise<void>): Promise<TrafficFigures> {
  const http = `http://${gatewaysAddress}:${ports.gateway}`;
  const user = `user${users++}`;
  const terms = { http, writeKey: site.writeKey, user };
  const traffic = await Traffic.start(box.host("client"), terms);
  await traffic.goesOn();
  const startMs = performance.now();
  await happens();
  await traffic.goesOn(1, 1);
  const recoveredMs = performance.now() - startMs;
  await traffic.goesOn();
  const figures = await traffic.stop();
  console.log(what, { recoveredMs: Math.round(recoveredMs), ...figures });
  if (figures.lastFailure !== "") console.log(traffic.failures);
  expect(figures).toMatchObject({ failedUploads: 0, wrongBytes: 0, lost: 0 });
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
    await through("gateway host killed", async () => {
      await box.host(first).kill();
    });
    const second = await holder(gatewaysAddress);
    expect(second).not.toBe(first);
    // Nobody takes the address from who serves it well, so no connection breaks.
    const { reconnects, failedAttempts } = await through("gateway host back", async () => {
      await restart(box.host(first));
      await until("its check passes", () => site.gateways.every((role) => role.host.isOn));
    });
    expect({ reconnects, failedAttempts }).toEqual({ reconnects: 0, failedAttempts: 0 });
    expect(await holders(gatewaysAddress)).toEqual([second]);
  }, 60_000);

  test("a gateway hangs with the address, and goes on later", async () => {
    const first = await holder(gatewaysAddress);
    const hung = roleOn(site.gateways, first);
    await through("gateway stopped", async () => {
      hung.signal("SIGSTOP");
      await until("another one has it", async () => {
        const found = await holders(gatewaysAddress);
        return found.length === 1 && found[0] !== first;
      });
    });
    const { reconnects } = await through("gateway goes on", async () => hung.signal("SIGCONT"));
    expect(reconnects).toBe(0);
    expect(await holder(gatewaysAddress)).not.toBe(first);
  }, 60_000);

  test("the host of the tracker with the address dies", async () => {
    const first = await holder(trackersAddress);
    await through("tracker host killed", async () => {
      await box.host(first).kill();
    });
    expect(await holder(trackersAddress)).not.toBe(first);
    await through("tracker host back", () => restart(box.host(first)));
  }, 60_000);

  test("a split leaves both with the address, and its end one of them", async () => {
    await holder(gatewaysAddress);
    await through("split and healed", async () => {
      await box.network.cut(["gw1"], ["gw2"]);
      await until("both have it", async () => (await holders(gatewaysAddress)).length === 2);
      await box.network.heal();
      await holder(gatewaysAddress);
    });
  }, 60_000);
});
