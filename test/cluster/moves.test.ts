import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openCatalog, openCatalogToLoad } from "@dsm/catalog";
import type { ClusterOptions } from "@dsm/cluster";
import { blobPath, mediaPath } from "@dsm/protocol";
import { rebuildCatalog } from "@dsm/recovery";
import { mariaDbMissing, sharedMariaDb, until } from "@dsm/testkit";
import { comparable, rowsOf } from "../recovery/comparable.ts";
import { contentOf } from "./move-load.ts";
import { blobsOnDisk, Scene, user } from "./move-scene.ts";

setDefaultTimeout(60_000);

/** What readers see, what is counted and what lies on the disks is all the same. */
async function expectConsistent({ cluster, client, load }: Scene, home: string): Promise<void> {
  let liveBytes = 0;
  let liveFiles = 0;
  for (const [fileId, content] of load.model) {
    const got = await fetch(`${cluster.http}${mediaPath(user, fileId)}`);
    expect([fileId, got.status]).toEqual([fileId, content === null ? 404 : 200]);
    const bytes = Buffer.from(await got.bytes());
    if (content === null) continue;
    expect(bytes.equals(content)).toBe(true);
    liveFiles++;
    liveBytes += content.length;
  }
  const { files } = await client.list({ user, limit: 1_000 });
  expect([...new Set(files.map(({ group }) => group))]).toEqual([home]);
  expect(await client.usage(user)).toMatchObject({ group: home, liveFiles, liveBytes });
  expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
}

async function expectRebuilt({ cluster, dataDir }: Scene): Promise<void> {
  // Each storage journals the users at its start.
  for (const storage of cluster.storages) {
    await storage.drain();
    await storage.start();
  }
  const url = `sqlite:${join(dataDir, "rebuilt.db")}`;
  const findings: unknown[] = [];
  {
    await using load = await openCatalogToLoad(url, "rebuild");
    await rebuildCatalog({
      roots: new Map(cluster.groupNames.map((group) => [group, cluster.groupRoot(group)])),
      load,
      verify: true,
      onFinding: async (finding) => void findings.push(finding),
      onProgress: () => {},
      signal: new AbortController().signal,
    });
  }
  expect(findings).toEqual([]);
  await using rebuilt = await openCatalog(url);
  const [got, wanted] = [await rowsOf(rebuilt), await rowsOf(cluster.catalog)];
  expect(comparable(got)).toEqual(comparable(wanted));
}

const missing = mariaDbMissing();
const databases: ReadonlyArray<[string, () => Promise<Partial<ClusterOptions>>]> = [
  ["SQLite", async () => ({})],
  ["MariaDB", async () => ({ catalogUrl: await (await sharedMariaDb()).createDatabase() })],
];

describe.each(databases)("a user who moves, on %s", (name, catalogOf) => {
  const why = name === "MariaDB" ? missing : undefined;
  test.skipIf(why !== undefined)(
    `takes all files along while they are written and read${why === undefined ? "" : ` (${why})`}`,
    async () => {
      await using scene = await Scene.open({
        ...(await catalogOf()),
        moveBytesPerSecond: 8_000_000,
      });
      const { cluster, client, load } = scene;
      const film = contentOf("film", 12_000_000);
      const before = await load.put("film", film);
      for (let i = 0; i < 40; i++) await load.put(`still ${i}`, contentOf(`${i}`, i * 100));
      await load.put("empty", Buffer.alloc(0));
      load.start(1);
      // No more than all of it once: two blobs of a file while it moves must not count twice.
      await client.setQuota(user, 120_000_000);
      const url = `${cluster.http}${mediaPath(user, "film")}`;
      const response = await fetch(url);
      const body = response.body!.getReader();
      const pieces = [(await body.read()).value!];

      const assignedAtMs = Date.now();
      await client.assign(user, "g2");
      await scene.moved();
      // The grace of what is left in the old group begins now, however old the file is.
      const { blobs } = await client.trash({ user, prefix: "film", limit: 10 });
      expect(blobs).toMatchObject([{ file: { blobId: before.blobId }, wasDeleted: false }]);
      expect(blobs[0]!.trashedAtMs).toBeGreaterThanOrEqual(assignedAtMs);
      // Whoever was in the middle of a file reads on as if nothing had happened.
      for (let part = await body.read(); !part.done; part = await body.read()) {
        pieces.push(part.value);
      }
      expect(Buffer.concat(pieces).equals(film)).toBe(true);
      const { group, version, blobId, ...kept } = await client.stat(user, "film");
      const { group: _group, version: _version, blobId: _blobId, ...had } = before;
      expect([group, version, kept]).toEqual(["g2", before.version + 1, had]);
      expect(blobId).not.toBe(before.blobId);
      const isMuch = () => Math.min(...Object.values(load.counts)) > 10;
      await until("all kinds of things were done", () => isMuch() || load.faults.length > 0);
      await load.stop();
      await scene.moved();
      expect(load.faults).toEqual([]);
      console.log(name, load.counts);
      await expectConsistent(scene, "g2");
      expect([await scene.findings("g1"), await scene.findings("g2")]).toEqual([[], []]);
      await expectRebuilt(scene);
    },
  );
});

test("a user who is sent back in the middle ends where it began", async () => {
  await using scene = await Scene.open({ moveBytesPerSecond: 4_000_000 });
  const { client, load } = scene;
  for (let i = 0; i < 30; i++) await load.put(`f${i}-0`, contentOf(`${i}`, 200_000));
  load.start(7);
  await client.assign(user, "g2");
  await until("some have moved", async () => {
    const { moves } = await client.moves({ user, limit: 10 });
    return moves.length === 1 && moves[0]!.files < 25;
  });
  await client.assign(user, "g1");
  await load.stop();
  await scene.moved();
  expect(load.faults).toEqual([]);
  await expectConsistent(scene, "g1");
  expect([await scene.findings("g1"), await scene.findings("g2")]).toEqual([[], []]);
});

test("the space of the old group comes back", async () => {
  await using scene = await Scene.open({ trashGraceMs: 0, reapIntervalMs: 20 });
  const { cluster, client, load } = scene;
  for (let i = 0; i < 10; i++) await load.put(`f${i}`, contentOf(`${i}`, 1_500_000));
  await load.delete("f3");
  await client.assign(user, "g2");
  await scene.moved();
  await until("the trash is empty", async () => (await client.usage(user)).trashBlobs === 0);
  expect(await blobsOnDisk(cluster.groupRoot("g1"))).toEqual([]);
  // Nine blobs, each with the checksums of its two pieces.
  expect((await blobsOnDisk(cluster.groupRoot("g2"))).length).toBe(9);
  await expectConsistent(scene, "g2");
  expect([await scene.findings("g1"), await scene.findings("g2")]).toEqual([[], []]);
  await expectRebuilt(scene);
});

test("bytes that went bad are not moved, and all others are", async () => {
  await using scene = await Scene.open({ scrubBytesPerSecond: 0 });
  const { cluster, client, load } = scene;
  const files = [];
  for (let i = 0; i < 5; i++) files.push(await load.put(`f${i}`, contentOf(`${i}`, 9_000)));
  const bad = files[2]!;
  await Bun.write(join(cluster.groupRoot("g1"), blobPath(bad.blobId)), Buffer.alloc(9_000, "x"));
  await client.assign(user, "g2");
  await until("the others have moved", async () => {
    const { moves } = await client.moves({ user, limit: 10 });
    return moves[0]?.files === 1;
  });
  await until("a storage says why", async () => {
    const { groups } = await client.status();
    const members = groups.find(({ group }) => group === "g2")!.members;
    return members.some(({ movesHeldUp }) => movesHeldUp?.includes('"f2" is damaged in group g1'));
  });
  expect((await client.stat(user, "f2")).group).toBe("g1");
  // Nothing is left of the tries, of which the next one may be under way.
  await until("only the others are there", async () => {
    return (await blobsOnDisk(cluster.groupRoot("g2"))).length === 4;
  });
  await load.put("f2", contentOf("again", 9_000));
  await scene.moved();
  await expectConsistent(scene, "g2");
});

test("a blob that a user has left in the trash of the old group is restored and moves too", async () => {
  await using scene = await Scene.open();
  const { client, load } = scene;
  const content = contentOf("song", 5_000);
  await load.put("song", content);
  await load.put("other", content);
  await load.delete("song");
  await load.delete("other");
  await client.assign(user, "g2");
  expect(await client.usage(user)).toMatchObject({ liveFiles: 0, trashBlobs: 2 });
  await client.restore({ user, fileId: "song" });
  load.model.set("song", content);
  await scene.moved();
  await expectConsistent(scene, "g2");
  expect(await client.emptyTrash({ user })).toMatchObject({ kept: 0 });
  expect(await client.usage(user)).toMatchObject({ liveFiles: 1, trashBlobs: 0 });
  await expectConsistent(scene, "g2");
});
