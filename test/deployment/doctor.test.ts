import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  gluster,
  glusterMissing,
  type Host,
  HostBox,
  hostsMissing,
  killBricks,
  mountVolume,
  startBricks,
  startGlusterd,
  tempDir,
  until,
} from "@dsm/testkit";

const missing = hostsMissing ?? glusterMissing;
const why = missing === undefined ? "" : ` (skipped: ${missing})`;
const main = resolve(import.meta.dir, "../../packages/cli/src/main.ts");
const prepareGroup = resolve(import.meta.dir, "../../deploy/glusterfs/prepare-group");
const names = ["st1", "st2", "st3"] as const;

interface Told {
  readonly check: string;
  readonly level: string;
  readonly what: string;
  readonly remedy?: string;
}

/** What doctor on this host says of the volume below the root in that configuration. */
async function lookOn(host: Host, config: string): Promise<Told[]> {
  // There is no cluster here, so it ends with 5.
  const script = `"$@" || [ $? = 5 ]`;
  const cmd = [process.execPath, main, "doctor", "--json", "--config", config];
  const said = await host.run(["sh", "-c", script, "sh", ...cmd]);
  const { findings } = JSON.parse(said) as { findings: Told[] };
  return findings.filter(({ check }) => check === "glusterfs");
}

test.skipIf(missing !== undefined)(
  `doctor tells of a volume: options, bricks that are down, what waits to be healed${why}`,
  async () => {
    await using dir = await tempDir();
    await using box = await HostBox.open({ hosts: names });
    const hosts = names.map((name) => box.host(name));
    await Promise.all(
      hosts.map(async (host) => {
        await mkdir(join(host.dir, "bound/mnt"), { recursive: true });
        await host.bind("/mnt");
        await startGlusterd(host);
      }),
    );
    const [one, two, three] = [box.host("st1"), box.host("st2"), box.host("st3")];
    const terms = ["--volume", "g1", "--brick", "/mnt/g1", "--force"];
    await one.run([prepareGroup, ...terms, ...names]);
    const root = join(dir.path, "g1");
    await mountVolume(one, "st1:/g1", root, "defaults");
    const config = join(dir.path, "dsm.toml");
    const lines = [
      `trackers = ["127.0.0.1:1"]`,
      `id_servers = ["127.0.0.1:1"]`,
      `catalog = "sqlite:/nowhere"`,
      `secret = "${"5".repeat(64)}"`,
      `[storage]`,
      `id = "s1"`,
      `group = "g1"`,
      `reserve = "1MiB"`,
      `root = "${root}"`,
    ];
    await writeFile(config, lines.join("\n"), { mode: 0o600 });

    expect(await lookOn(one, config)).toMatchObject([
      { level: "ok", what: "all bricks are there, healed, options as advised" },
    ]);

    await gluster(one, "volume", "set", "g1", "network.ping-timeout", "42");
    await killBricks(two);
    await one.run(["sh", "-c", `echo hello > ${root}/film`]);
    const [worst, ...others] = await until("the brick is missed", async () => {
      const found = await lookOn(one, config);
      return found.length === 3 ? found : undefined;
    });
    const said = [worst!, ...others].map(({ level, what }) => `${level}: ${what}`).join("\n");
    expect(said).toContain("warning: network.ping-timeout is 42 and not 5: the default of 42 s");
    expect(said).toContain("warning: brick st2:/mnt/g1 is not connected");
    expect(said).toMatch(/warning: \d entries wait to be healed/);

    await killBricks(three);
    const without = await until("two are missed", async () => {
      const found = await lookOn(one, config);
      return found.filter(({ level }) => level === "error").length === 2 ? found : undefined;
    });
    expect(without[0]?.what).toContain("too few are left, so nothing can be written");
    expect(without[0]?.remedy).toContain("gluster volume start g1 force");

    await startBricks(one, "g1");
    await gluster(one, "volume", "set", "g1", "network.ping-timeout", "5");
    // The daemon that heals has to find the bricks first.
    await until("it heals", () =>
      gluster(one, "volume", "heal", "g1").then(
        () => true,
        () => false,
      ),
    );
    await until("all is well", async () => {
      return (await lookOn(one, config)).every(({ level }) => level === "ok");
    });
  },
  120_000,
);
