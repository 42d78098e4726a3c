import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { glusterMissing, hostsMissing, keepalivedMissing, killBricks } from "@dsm/testkit";
import { GlusterSite } from "./gluster-site.ts";
import { through } from "./through.ts";

const missing = hostsMissing ?? glusterMissing ?? keepalivedMissing;

describe.skipIf(missing !== undefined)("a group on GlusterFS, replica 3", () => {
  const stack = new AsyncDisposableStack();
  let cluster: GlusterSite;
  beforeAll(async () => {
    cluster = stack.use(await GlusterSite.open());
  }, 120_000);
  afterAll(() => stack.disposeAsync());

  const traffic = async (what: string, happens: () => Promise<void>) =>
    through(await cluster.traffic(), what, happens);

  test("a brick dies, then its host, and what was written meanwhile is on both again", async () => {
    await traffic("brick killed", () => killBricks(cluster.host("st1")));
    await traffic("its host killed", () => cluster.host("st1").kill());
    await traffic("its host back", () => cluster.bootAll(["st1"]));
    await cluster.healed();
    const [returned, other] = await Promise.all([cluster.brick("st1"), cluster.brick("st2")]);
    expect(returned.size).toBeGreaterThan(100);
    expect([...returned].toSorted()).toEqual([...other].toSorted());
  }, 120_000);

  test("a host is lost for good, and a new one takes its place", async () => {
    await cluster.host("st1").kill();
    // Its machine runs again without its disk, so that the others need not wait out its silence.
    await cluster.host("st1").boot();
    await traffic("a host replaced", () => cluster.replace("st1"));
    await cluster.healed();
    const [added, other] = await Promise.all([cluster.brick("st4"), cluster.brick("st2")]);
    expect([...added].toSorted()).toEqual([...other].toSorted());
    const said = await cluster.site.run("gw1", "status", "--json");
    expect(said).toContain("g1-st4");
    expect(said).not.toContain("g1-st1");
  }, 120_000);

  test("all hosts are switched off at once, and have all that was acknowledged", async () => {
    const names = cluster.box.hosts
      .map(({ name }) => name)
      .filter((name) => !["client", "st1"].includes(name));
    await traffic("all hosts off and on", async () => {
      await Promise.all(names.map((name) => cluster.host(name).kill()));
      await cluster.bootAll(names);
    });
    const said = await cluster.site.run("gw1", "fsck", "--json");
    expect(JSON.parse(said)).toMatchObject({ done: { group: "g1", findings: {}, repaired: 0 } });
  }, 120_000);
});
