import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { resolve } from "node:path";
import { openCatalog, openCatalogToLoad } from "@dsm/catalog";
import { startCluster } from "@dsm/cluster";
import type { CrashPoint } from "@dsm/faults";
import { rebuildCatalog } from "@dsm/recovery";
import { startProcess, tempDir, until } from "@dsm/testkit";
import type { VictimOptions } from "../crash/storage-process.ts";
import { contentOf, MoveLoad } from "./move-load.ts";

setDefaultTimeout(60_000);

const user = "ann";
const killed = 128 + 9;
const script = resolve(import.meta.dir, "../crash/storage-process.ts");

/** Where the one who fetches files may die; the steps of its commit are those of an overwrite. */
const points: readonly CrashPoint[] = [
  "put.created",
  "move.copied",
  "overwrite.journaled",
  "overwrite.flushed",
  "overwrite.committed",
];

describe("a storage that dies while it moves files", () => {
  test.each(points)("at %s leaves each file whole, and the next life goes on", async (point) => {
    await using dir = await tempDir();
    const catalogUrl = `sqlite:${dir.path}/catalog.db`;
    const quick = { reserveBytes: 0, freshnessMs: 0, orphanAgeMs: 0 };
    // The storages of the cluster fetch nothing: the victim is the one of its group that does.
    await using cluster = await startCluster({
      ...quick,
      dataDir: dir.path,
      catalogUrl,
      groups: 2,
      storages: 1,
      moveBytesPerSecond: 0,
    });
    await using client = cluster.client();
    await client.assign(user, "g1");
    const load = new MoveLoad(user, cluster, client);
    for (let i = 0; i < 12; i++) await load.put(`f${i}`, contentOf(`${i}`, i * 200_000));
    await load.delete("f5");
    await client.assign(user, "g2");

    const options: VictimOptions = {
      id: "victim",
      group: "g2",
      root: cluster.groupRoot("g2"),
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map(({ endpoint }) => endpoint),
      trashGraceMs: 86_400_000,
      reapIntervalMs: 50,
      doubtSettleMs: 100,
      orphanAgeMs: 0,
      movePollMs: 20,
      secret: cluster.secret,
      catalogUrl,
    };
    const start = (crashAt: string) =>
      startProcess({
        cmd: [process.execPath, script, JSON.stringify(options)],
        env: { DSM_CRASH_AT: crashAt },
        ready: /ready (\S+)/,
      });
    for (const turn of [1, 5]) {
      await using victim = await start(`${point}:${turn}`);
      expect(await Promise.race([victim.exited, Bun.sleep(20_000)])).toBe(killed);
      await expectWhole();
    }
    await using _victim = await start("");
    const left = async () => (await client.moves({ user, limit: 10 })).moves;
    await until("all files have moved", async () => (await left()).length === 0);
    await expectWhole();
    const { files } = await client.list({ user, limit: 100 });
    expect([...new Set(files.map((file) => file.group))]).toEqual(["g2"]);
    expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);

    // What the crashes have left is garbage, and fsck can tell.
    const kinds = new Set<unknown>();
    await until("fsck has mended all that is left", async () => {
      const found = [...(await findings("g1")), ...(await findings("g2"))];
      for (const kind of found) kinds.add(kind);
      return found.length === 0;
    });
    expect([...kinds].filter((kind) => kind !== "orphan" && kind !== "unsettled")).toEqual([]);
    expect(await rebuiltFiles()).toEqual((await client.list({ user, limit: 100 })).files);

    async function expectWhole(): Promise<void> {
      for (const [fileId, content] of load.model) {
        const got = await fetch(`${cluster.http}/media/${user}/${fileId}`);
        const bytes = got.status === 404 ? null : Buffer.from(await got.bytes());
        expect([fileId, bytes?.equals(content!) ?? null]).toEqual([fileId, content && true]);
      }
    }

    async function findings(group: string): Promise<unknown[]> {
      const found: unknown[] = [];
      for await (const line of client.maintain({ group, job: "fsck", params: { repair: true } })) {
        if ("finding" in line) found.push(line.finding["kind"]);
      }
      return found;
    }

    async function rebuiltFiles() {
      const url = `sqlite:${dir.path}/rebuilt.db`;
      {
        await using filled = await openCatalogToLoad(url, "rebuild");
        await rebuildCatalog({
          roots: new Map(["g1", "g2"].map((group) => [group, cluster.groupRoot(group)])),
          load: filled,
          verify: true,
          onFinding: async (finding) => {
            throw new Error(`the rebuild found ${JSON.stringify(finding)}`);
          },
          onProgress: () => {},
          signal: new AbortController().signal,
        });
      }
      await using rebuilt = await openCatalog(url);
      return (await rebuilt.list({ user, limit: 100, nowMs: Date.now() })).files;
    }
  });
});
