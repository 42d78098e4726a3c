import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Host, HostBox, hostsMissing, keepalivedMissing, tempDir, until } from "@dsm/testkit";
import { MovingAddresses } from "./moving-addresses.ts";
import { ports, Site, type SiteRole } from "./site.ts";
import { through } from "./through.ts";
import { Traffic, type TrafficFigures } from "./traffic.ts";

const { gateways: gatewaysAddress, trackers: trackersAddress } = MovingAddresses;
/** What clients may see of a host that dies. */
const gapMaxMs = 5_000;

const stack = new AsyncDisposableStack();
let box: HostBox;
let site: Site;
let addresses: MovingAddresses;

const gatewayHosts = ["gw1", "gw2"];
const trackerHosts = ["tr1", "tr2"];

function roleOn(roles: readonly SiteRole[], host: string): SiteRole {
  const found = roles.find((role) => role.host.name === host);
  if (found === undefined) throw new Error(`nothing of the kind runs on ${host}`);
  return found;
}

async function restart(host: Host): Promise<void> {
  await host.boot();
  for (const role of site.rolesOn(host.name)) await role.start();
  await addresses.keepOn(host);
  await until("a check has passed", () => addresses.log(host.name).includes("succeeded"));
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
    const { secretFile } = site;
    const hostsOf = { gateways: gatewayHosts, trackers: trackerHosts };
    addresses = new MovingAddresses({ box, ...hostsOf, secretFile });
    await addresses.keep();
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("the host of the gateway with the address dies, and comes back", async () => {
    let first = "";
    const killed = await traffic("gateway host killed", async () => {
      first = await addresses.holder(gatewaysAddress);
      await box.host(first).kill();
    });
    expect(killed.reconnects).toBeGreaterThan(0);
    const second = await addresses.holder(gatewaysAddress);
    expect(second).not.toBe(first);
    // Nobody takes the address from who serves it well, so no connection breaks.
    const { reconnects, failedAttempts } = await traffic("gateway host back", () =>
      restart(box.host(first)),
    );
    expect({ reconnects, failedAttempts }).toEqual({ reconnects: 0, failedAttempts: 0 });
    expect(await addresses.holders(gatewaysAddress)).toEqual([second]);
  }, 60_000);

  test("a gateway hangs with the address, and goes on later", async () => {
    let first = "";
    await traffic("gateway stopped", async () => {
      first = await addresses.holder(gatewaysAddress);
      roleOn(site.gateways, first).signal("SIGSTOP");
      await until("another one has it", async () => {
        const found = await addresses.holders(gatewaysAddress);
        return found.length === 1 && found[0] !== first;
      });
    });
    const { reconnects } = await traffic("gateway goes on", async () => {
      roleOn(site.gateways, first).signal("SIGCONT");
    });
    expect(reconnects).toBe(0);
    expect(await addresses.holder(gatewaysAddress)).not.toBe(first);
  }, 60_000);

  test("the host of the tracker with the address dies", async () => {
    let first = "";
    await traffic("tracker host killed", async () => {
      first = await addresses.holder(trackersAddress);
      await box.host(first).kill();
    });
    expect(await addresses.holder(trackersAddress)).not.toBe(first);
    await traffic("tracker host back", () => restart(box.host(first)));
  }, 60_000);

  test("a split leaves both with the address, and its end one of them", async () => {
    await addresses.holder(gatewaysAddress);
    await traffic("split and healed", async () => {
      await box.network.cut(["gw1"], ["gw2"]);
      await until(
        "both have it",
        async () => (await addresses.holders(gatewaysAddress)).length === 2,
      );
      await box.network.heal();
      await addresses.holder(gatewaysAddress);
    });
  }, 60_000);
});
