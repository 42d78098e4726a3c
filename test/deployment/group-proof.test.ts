import { expect, test } from "bun:test";
import { glusterMissing, hostsMissing } from "@dsm/testkit";
import { GlusterSite } from "./gluster-site.ts";
import { ports } from "./site.ts";

const missing = hostsMissing ?? glusterMissing;
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

test.skipIf(missing !== undefined)(
  `a storage on a brick instead of the volume is refused, though it sees what the others wrote${why}`,
  async () => {
    await using at = await GlusterSite.open();
    const { site } = at;
    const third = site.storages[2]!;
    await third.terminate();
    const { address, name } = third.host;
    const flags = ["--id", "g1-st3", "--group", "g1", "--root", "/mnt/g1", "--json"];
    const listen = `${address}:${ports.storage}`;
    // Where it is let in it serves until the test is given up.
    const started = site.run(name, "storage", ...flags, "--listen", listen);
    const refusal = await started.then(() => "it was let in", String);
    expect(refusal).toContain("BAD_CONFIG");
    expect(refusal).toMatch(
      /\/mnt\/g1 is not the file system of the running members of group g1: storage g1-st[12] at /,
    );
    expect(refusal).toContain("it does not see this storage's part of the journal");
    await third.start();
    const { groups } = JSON.parse(await site.run("client", "status", "--json")) as {
      groups: Array<{ members: Array<{ online: boolean; failing: boolean }> }>;
    };
    expect(groups[0]?.members.map(({ online, failing }) => [online, failing])).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
  },
  90_000,
);
