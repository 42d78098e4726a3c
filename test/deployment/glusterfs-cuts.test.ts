import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { glusterMissing, hostsMissing, keepalivedMissing, until } from "@dsm/testkit";
import { GlusterSite } from "./gluster-site.ts";
import { through } from "./through.ts";

const missing = hostsMissing ?? glusterMissing ?? keepalivedMissing;

interface Status {
  readonly groups: ReadonlyArray<{
    readonly members: ReadonlyArray<{
      readonly storageId: string;
      readonly online: boolean;
      readonly failing: boolean;
    }>;
  }>;
}

describe.skipIf(missing !== undefined)("a storage on GlusterFS that is cut off", () => {
  const stack = new AsyncDisposableStack();
  let cluster: GlusterSite;
  beforeAll(async () => {
    // With an arbiter, as who has two large disks and one small one.
    cluster = stack.use(await GlusterSite.open({}, ["--arbiter"]));
  }, 120_000);
  afterAll(() => stack.disposeAsync());

  const traffic = async (what: string, happens: () => Promise<void>) =>
    through(await cluster.traffic(), what, happens);

  async function memberOf(storageId: string) {
    const said = await cluster.site.run("gw1", "status", "--json");
    const { groups } = JSON.parse(said) as Status;
    return groups.flatMap(({ members }) => members).find((it) => it.storageId === storageId);
  }

  test("from the trackers but not from clients: others take over, and nobody notices", async () => {
    const { network } = cluster.box;
    const { reconnects, failedAttempts } = await traffic("cut off from trackers", async () => {
      await network.cut(["st1"], ["tr1", "tr2"]);
      await until("it is offline", async () => (await memberOf("g1-st1"))?.online === false);
    });
    expect({ reconnects, failedAttempts }).toEqual({ reconnects: 0, failedAttempts: 0 });
    await traffic("and back", async () => {
      await network.heal();
      await until("it is online", async () => (await memberOf("g1-st1"))?.online === true);
    });
  }, 120_000);

  test("from clients but not from the trackers: they are served by others", async () => {
    const { network } = cluster.box;
    const { longestReadGapMs } = await traffic("cut off from clients", () =>
      network.cut(["st1"], ["gw1", "gw2", "client"]),
    );
    expect(longestReadGapMs).toBeLessThan(5_000);
    await network.heal();
  }, 120_000);

  test("from its peers: it has no quorum, says so, and comes back", async () => {
    const { network } = cluster.box;
    await traffic("cut off from its peers", async () => {
      await network.cut(["st1"], ["st2", "st3"]);
      await until("it fails", async () => (await memberOf("g1-st1"))?.failing === true, 60_000);
    });
    await traffic("and back", async () => {
      await network.heal();
      await until("it is well", async () => (await memberOf("g1-st1"))?.failing === false, 60_000);
    });
    await cluster.healed();
    // The journals of those that live go on meanwhile.
    await until("both bricks hold the same", async () => {
      const [one, other] = await Promise.all([cluster.brick("st1"), cluster.brick("st2")]);
      return Bun.deepEquals([...one].toSorted(), [...other].toSorted());
    });
  }, 120_000);
});
