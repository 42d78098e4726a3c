import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret, type Member } from "@dsm/protocol";
import { startStorage, type Storage } from "@dsm/storage";
import { mountTmpfs, tempDir, tmpfsMissing, until } from "@dsm/testkit";
import { contentOf, MoveLoad } from "./move-load.ts";

setDefaultTimeout(60_000);

const user = "ann";
const why = tmpfsMissing === undefined ? "" : ` (skipped: ${tmpfsMissing})`;

/** What an operator does at one host after the other, while users go on. */
class Site implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly load: MoveLoad;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, cluster: Cluster, client: DsmClient) {
    this.#stack = stack;
    this.cluster = cluster;
    this.client = client;
    this.load = new MoveLoad(user, cluster, client);
  }

  /** The first group has a small disk, so that new users go to another one as soon as there is. */
  static async open(): Promise<Site> {
    await using stack = new AsyncDisposableStack();
    const disk = stack.use(await mountTmpfs({ sizeBytes: 500_000_000 }));
    const { path: dataDir } = stack.use(await tempDir());
    await mkdir(join(dataDir, "groups"));
    await symlink(disk.path, join(dataDir, "groups", "g1"));
    const times = { heartbeatIntervalMs: 100, freshnessMs: 0, hotCacheBytes: 0 };
    const cluster = stack.use(
      await startCluster({ dataDir, delivery: "proxy", reserveBytes: 0, ...times }),
    );
    const client = stack.use(cluster.client());
    const site = new Site(stack.move(), cluster, client);
    for (let i = 0; i < 20; i++) await site.load.put(`still ${i}`, contentOf(`${i}`, i * 50_000));
    site.load.start(3);
    return site;
  }

  /** A host more: of a group that there is, or the first of one. */
  async add(id: string, group: string): Promise<Storage> {
    const storage = await startStorage({
      id,
      group,
      root: this.cluster.groupRoot(group),
      hostname: "127.0.0.1",
      port: 0,
      trackers: this.cluster.trackerEndpoints,
      idServers: this.cluster.ids.map(({ endpoint }) => endpoint),
      secret: clusterSecret(this.cluster.secret),
      catalog: this.cluster.catalog,
      leaseIds: 64,
      reserveBytes: 0,
      trashGraceMs: 60_000,
      reapIntervalMs: 1_000,
      log: silentLog,
    });
    await until(`${id} is online`, async () => {
      return (await this.members()).some((it) => it.storageId === id && it.online);
    });
    return storage;
  }

  /** As all trackers see them together. */
  async members(): Promise<Member[]> {
    const seen = await this.client.statusAll();
    return seen.flatMap(({ response }) => response?.groups.flatMap((it) => it.members) ?? []);
  }

  async gone(id: string): Promise<void> {
    await until(`${id} is offline`, async () => {
      const own = (await this.members()).filter(({ storageId }) => storageId === id);
      return own.every(({ online }) => !online);
    });
  }

  /** A good deal more is done, with nothing that failed. */
  async goesOn(): Promise<void> {
    const before = { ...this.load.counts };
    await until("the load goes on", () => {
      const { puts, reads } = this.load.counts;
      return this.load.faults.length > 0 || (puts > before.puts + 20 && reads > before.reads + 20);
    });
    expect(this.load.faults).toEqual([]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

describe.skipIf(tmpfsMissing !== undefined)(`the life of a cluster${why}`, () => {
  test("goes on without one failed operation while hosts come and go", async () => {
    await using site = await Site.open();
    const { cluster, client, load } = site;
    const [first, second] = cluster.storages;
    await site.goesOn();

    // A third storage of the group serves and takes as the others do.
    await using third = await site.add("g1-s3", "g1");
    await site.goesOn();
    await until("it takes uploads", async () => {
      const shown = await (await fetch(`${third.dataUrl}/metrics`)).text();
      return /dsm_storage_uploads_total [1-9]/.test(shown);
    });

    // A new group, which has more room: who is new goes there, and who was there stays.
    await using _other = await site.add("g2-s1", "g2");
    await client.upload({ user: "bob", fileId: "f", source: bytesSource(contentOf("b", 9)) });
    expect((await client.usage("bob")).group).toBe("g2");
    expect((await client.usage(user)).group).toBe("g1");
    await site.goesOn();

    // Taken out in order: drained, stopped, forgotten.
    await client.drain(first!.name, true);
    await until("it has nothing to do", async () => {
      const own = (await site.members()).filter(({ storageId }) => storageId === first!.name);
      return own.every(({ draining, activeRequests }) => draining && activeRequests === 0);
    });
    await site.goesOn();
    await first!.drain();
    await client.removeStorage(first!.name);
    expect((await site.members()).some(({ storageId }) => storageId === first!.name)).toBe(false);
    await site.goesOn();

    // A host dies and comes back under its name at another address, as a new machine does.
    const oldUrl = second!.running.dataUrl;
    await second!.kill();
    await site.goesOn();
    const again = await site.add(second!.name, "g1");
    const seen = (await site.members()).filter(({ storageId }) => storageId === second!.name);
    expect(seen.map(({ dataUrl }) => dataUrl === oldUrl)).not.toContain(true);
    await site.goesOn();

    // It dies once more, and one with another name takes its place.
    await again.kill();
    await using _fourth = await site.add("g1-s4", "g1");
    await site.gone(second!.name);
    await client.removeStorage(second!.name);
    await site.goesOn();
    const names = (await site.members()).map(({ storageId }) => storageId);
    expect(names.toSorted()).toEqual(["g1-s3", "g1-s4", "g2-s1"].flatMap((id) => [id, id]));

    await load.stop();
    expect(load.faults).toEqual([]);
    console.log("life of a cluster", load.counts);
    for (const [fileId, content] of load.model) {
      const got = await fetch(`${cluster.http}/media/${user}/${fileId}`);
      const bytes = got.status === 404 ? null : Buffer.from(await got.bytes());
      expect([fileId, bytes?.equals(content!) ?? null]).toEqual([fileId, content && true]);
    }
    expect(await cluster.catalog.checkUsage({ repair: false })).toEqual([]);
  });
});
