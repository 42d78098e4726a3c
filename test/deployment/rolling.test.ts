import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { HostBox, hostsMissing, keepalivedMissing, tempDir, until } from "@dsm/testkit";
import { MovingAddresses } from "./moving-addresses.ts";
import { ports, Site, type SiteRole } from "./site.ts";
import { Traffic } from "./traffic.ts";

const stack = new AsyncDisposableStack();
let box: HostBox;
let site: Site;
let addresses: MovingAddresses;

const gateways = ["gw1", "gw2"];
const trackers = ["tr1", "tr2"];

/** What clients may see of one address that moves: it is a host that dies, only sooner noticed. */
const gapMaxMs = 5_000;

/** The address moves once; a first try may be too early. */
const movesMax = 2;
/** Nobody waits for bodies that go nowhere since the address has moved away. */
const stopMaxMs = 10_000;

async function roll(role: SiteRole): Promise<void> {
  const startMs = performance.now();
  expect(await role.terminate()).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(stopMaxMs);
  await role.start();
}

/** The last state that Keepalived of that host has told of an address. */
function stateOf(host: string): string | undefined {
  const entered = addresses.log(host).matchAll(/\(dsm_gateways\) Entering (\w+) STATE/g);
  return [...entered].at(-1)?.[1];
}

const missing = hostsMissing ?? keepalivedMissing;

describe.skipIf(missing !== undefined)("a rolling restart", () => {
  beforeAll(async () => {
    const disk = stack.use(await tempDir());
    box = stack.use(
      await HostBox.open({ hosts: [...gateways, ...trackers, "st1", "st2", "client"] }),
    );
    const root = join(disk.path, "g1");
    site = stack.use(
      await Site.open({
        box,
        trackers,
        ids: trackers,
        storages: ["st1", "st2"].map((host) => ({ group: "g1", host, root })),
        gateways,
        delivery: "proxy",
        // Two checks that fail take two seconds, and the address half a second to be elsewhere.
        env: { DSM_DRAIN_DELAY: "3500ms" },
      }),
    );
    addresses = new MovingAddresses({ box, gateways, trackers, secretFile: site.secretFile });
    await addresses.keep();
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("of every process fails no operation", async () => {
    const http = `http://${MovingAddresses.gateways}:${ports.gateway}`;
    const terms = { http, writeKey: site.writeKey };
    const traffic = await Traffic.start(box.host("client"), terms);
    const say = (what: string) => {
      const seconds = Math.round((performance.now() - startMs) / 100) / 10;
      console.log(what, { seconds, ...traffic.figures }, traffic.failures);
    };
    await traffic.goesOn();
    const startMs = performance.now();
    for (const role of [...site.trackers, ...site.ids, ...site.storages]) await roll(role);
    say("trackers, ID servers and storages");
    // First those that have not the address, so that it moves once.
    const holder = await addresses.holder(MovingAddresses.gateways);
    const others = site.gateways.filter((role) => role.host.name !== holder);
    for (const role of others) {
      await roll(role);
      await until(
        `${role.host.name} may have the address`,
        () => stateOf(role.host.name) === "BACKUP",
      );
    }
    say("gateways without the address");
    const between = traffic.figures;
    for (const role of site.gateways.filter((it) => !others.includes(it))) await roll(role);
    say("the gateway with the address");
    await traffic.goesOn();
    const figures = await traffic.stop();
    say("all");
    expect(figures).toMatchObject({ failedUploads: 0, wrongBytes: 0, lost: 0 });
    expect(figures.longestReadGapMs).toBeLessThan(gapMaxMs);
    expect(between).toMatchObject({ failedAttempts: 0, reconnects: 0 });
    // What is under way at the moment when the address moves has to be asked for again.
    expect(figures.failedAttempts).toBeLessThanOrEqual(movesMax);
    expect(figures.reconnects).toBeLessThanOrEqual(movesMax);
  }, 90_000);
});
