import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { softwareVersion } from "@dsm/protocol";
import { mariaDbMissing, sharedMariaDb } from "@dsm/testkit";
import { DsmProcesses, type RoleProcess, thisDsm } from "../processes/dsm-processes.ts";
import { type Frozen, frozenVersions, unpackFrozen } from "./frozen.ts";
import { Operations } from "./operations.ts";
import { jsonOf } from "./same-commands.ts";

interface Status {
  readonly trackers: Array<{ readonly softwareVersion: string }>;
  readonly groups: Array<{ readonly members: Array<{ readonly softwareVersion: string }> }>;
}

/** As docs/OPERATIONS.md has it, and the reverse: each role meets peers of the other version. */
const walks = [
  {
    name: "trackers first, SQLite",
    order: (cluster: DsmProcesses) => cluster.roles,
    missing: undefined,
    catalog: async () => ({}),
  },
  {
    name: "gateways first, MariaDB",
    order: (cluster: DsmProcesses) => cluster.roles.toReversed(),
    missing: mariaDbMissing(),
    catalog: async () => ({ catalogUrl: await (await sharedMariaDb()).createDatabase() }),
  },
];

for (const version of frozenVersions) {
  describe(`an upgrade from dsm ${version}`, () => {
    let frozen: Frozen;
    beforeAll(async () => {
      frozen = await unpackFrozen(version);
    });
    afterAll(() => frozen[Symbol.asyncDispose]());

    for (const { name, order, missing, catalog } of walks) {
      const why = missing === undefined ? "" : ` (skipped: ${missing})`;
      test.skipIf(missing !== undefined)(`${name}: no operation fails${why}`, async () => {
        const old = { software: frozen.software, gateways: 2, delivery: "proxy" } as const;
        await using cluster = await DsmProcesses.start({ ...old, ...(await catalog()) });
        await using work = new Operations(cluster, [frozen.software, thisDsm]);
        await work.goOn();
        await migrate(cluster);
        await work.goOn();
        const replacedInMs = await replaceAll(order(cluster), cluster, work);
        await work.stop();
        console.log(
          `${version} to ${softwareVersion}, ${name}: ${JSON.stringify(work.done)} operations, ` +
            `${work.failures.length} failed; replaced in ${replacedInMs.join(", ")} ms`,
        );
        expect(work.failures.slice(0, 9)).toEqual([]);
        await checkWhole(cluster, work);
      });
    }

    test("goes by the order: this version waits for the migration, and only then", async () => {
      const old = { software: frozen.software, trackers: 1, storages: 1 } as const;
      await using cluster = await DsmProcesses.start(old);
      const [tracker] = cluster.trackers;
      if (tracker === undefined) throw new Error("no tracker");
      expect(await tracker.terminate()).toBe(0);
      tracker.software = thisDsm;
      const early = expect.stringContaining("run `dsm catalog migrate`");
      await expect(tracker.start()).rejects.toMatchObject({ message: early });
      await migrate(cluster);
      await tracker.start();
      // It was made before versions could be told what a newer one has only added.
      const [storage] = cluster.storages;
      expect(await storage?.terminate()).toBe(0);
      const late = expect.stringContaining("install the newer dsm here too");
      await expect(storage?.start()).rejects.toMatchObject({ message: late });
    });
  });
}

async function migrate(cluster: DsmProcesses): Promise<void> {
  const { code, stderr } = await cluster.runWith(thisDsm, "catalog", "migrate");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

/**
 * One process after the other ends in order and comes back with the software of this checkout.
 * @returns how long each was away
 */
async function replaceAll(
  roles: readonly RoleProcess[],
  cluster: DsmProcesses,
  work: Operations,
): Promise<number[]> {
  const awayMs: number[] = [];
  for (const role of roles) {
    const other = cluster.gateways.find((gateway) => gateway !== role);
    if (cluster.gateways.includes(role) && other !== undefined) await work.moveTo(other);
    const endedAtMs = performance.now();
    expect(await role.terminate()).toBe(0);
    role.software = thisDsm;
    await role.start();
    awayMs.push(Math.round(performance.now() - endedAtMs));
    await work.goOn();
  }
  return awayMs;
}

async function checkWhole(cluster: DsmProcesses, work: Operations): Promise<void> {
  const status = await jsonOf<Status>(cluster, thisDsm, "status");
  const members = status.groups.flatMap((group) => group.members);
  const versions = [...status.trackers, ...members].map((it) => it.softwareVersion);
  expect(versions).toEqual(Array.from({ length: 4 }, () => softwareVersion));
  for (const [fileId, sha256] of work.sha256) {
    const got = await fetch(`${cluster.http}/media/ann/${fileId}`);
    const seen = Bun.SHA256.hash(await got.bytes(), "hex");
    expect({ fileId, sha256: seen }).toEqual({ fileId, sha256 });
  }
  const fsck = await cluster.runWith(thisDsm, "fsck");
  expect({ code: fsck.code, stderr: fsck.stderr }).toEqual({ code: 0, stderr: "" });
}
