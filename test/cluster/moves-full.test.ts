import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startCluster } from "@dsm/cluster";
import { mountTmpfs, tempDir, tmpfsMissing, until } from "@dsm/testkit";
import { contentOf, MoveLoad } from "./move-load.ts";

setDefaultTimeout(60_000);

const user = "ann";
const why = tmpfsMissing === undefined ? "" : ` (skipped: ${tmpfsMissing})`;

/** A cluster whose second group has a small disk. */
async function smallCluster(stack: AsyncDisposableStack, sizeBytes: number) {
  const disk = stack.use(await mountTmpfs({ sizeBytes }));
  const { path: dataDir } = stack.use(await tempDir());
  await mkdir(join(dataDir, "groups"));
  await symlink(disk.path, join(dataDir, "groups", "g2"));
  const options = { dataDir, groups: 2, storages: 2, reserveBytes: 100_000 };
  const cluster = stack.use(
    await startCluster({
      ...options,
      movePollMs: 20,
      moveBytesPerSecond: 10_000_000,
      heartbeatIntervalMs: 100,
    }),
  );
  const client = stack.use(cluster.client());
  await client.assign(user, "g1");
  return { cluster, client, disk, load: new MoveLoad(user, cluster, client) };
}

describe.skipIf(tmpfsMissing !== undefined)(`a group without room${why}`, () => {
  test("takes no user whose files do not fit, and says the numbers", async () => {
    await using stack = new AsyncDisposableStack();
    const { client, load } = await smallCluster(stack, 8_000_000);
    for (let i = 0; i < 5; i++) await load.put(`f${i}`, contentOf(`${i}`, 2_000_000));
    await expect(client.assign(user, "g2")).rejects.toMatchObject({
      code: "STORAGE_FULL",
      message: expect.stringMatching(
        /^group g2 has room for 7\d{6} bytes, and user ann has 10000000 bytes to move there$/,
      ),
    });
    expect((await client.usage(user)).group).toBe("g1");
    // Who has nothing needs no room, and what others have still to move counts as well.
    await client.assign("bob", "g2");
    await load.delete("f0");
    await load.delete("f1");
    await client.assign(user, "g2");
    const other = new MoveLoad("zoe", load.cluster, client);
    await client.assign("zoe", "g1");
    await other.put("film", contentOf("film", 3_000_000));
    await expect(client.assign("zoe", "g2")).rejects.toMatchObject({ code: "STORAGE_FULL" });
  });

  test("that becomes full in the middle waits, and goes on when there is room", async () => {
    await using stack = new AsyncDisposableStack();
    const { cluster, client, disk, load } = await smallCluster(stack, 12_000_000);
    for (let i = 0; i < 20; i++) await load.put(`f${i}`, contentOf(`${i}`, 400_000));
    await client.assign(user, "g2");
    const filler = join(disk.path, "filler");
    await writeFile(filler, new Uint8Array((await disk.freeBytes()) - 2_000_000));
    await until("a storage says why", async () => {
      const { groups } = await client.status();
      const members = groups.find(({ group }) => group === "g2")!.members;
      return members.some(({ movesHeldUp }) => /^group g2 has \d+ bytes free/.test(movesHeldUp!));
    });
    const { moves } = await client.moves({ user, limit: 10 });
    expect(moves[0]!.files).toBeGreaterThan(10);
    for (const [fileId, content] of load.model) {
      const got = await fetch(`${cluster.http}/media/${user}/${fileId}`);
      expect(Buffer.from(await got.bytes()).equals(content!)).toBe(true);
    }
    await rm(filler);
    const left = async () => (await client.moves({ user, limit: 10 })).moves;
    await until("all files have moved", async () => (await left()).length === 0);
    const { files } = await client.list({ user, limit: 100 });
    expect(files.map(({ group }) => group)).toEqual(Array.from({ length: 20 }, () => "g2"));
    await until("nothing holds it up", async () => {
      const { groups } = await client.status();
      return groups.every(({ members }) => members.every((it) => it.movesHeldUp === undefined));
    });
  });
});
