import { describe, expect, test } from "bun:test";
import { bytesSource, DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { collect, jsonOf, tempDir, until } from "@dsm/testkit";

/** Uploads and reads without pause until it is told to stop; any failure fails the test. */
class Loop {
  readonly #client: DsmClient;
  readonly #http: string;
  readonly #stop = new AbortController();
  done = 0;
  readonly finished: Promise<void>;

  constructor(name: string, cluster: Cluster, client: DsmClient) {
    this.#client = client;
    this.#http = cluster.http;
    this.finished = this.#run(name);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.finished;
  }

  async #run(name: string): Promise<void> {
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const content = crypto.getRandomValues(new Uint8Array(1 + ((i * 7919) % 60_000)));
      const fileId = `${name}/${i}`;
      await this.#client.upload({ user: "loop", fileId, source: bytesSource(content) });
      const { body } = await this.#client.open({ user: "loop", fileId });
      const read = await collect(body);
      expect(Bun.SHA256.hash(read, "hex")).toBe(Bun.SHA256.hash(content, "hex"));
      const got = await fetch(`${this.#http}/media/loop/${fileId}`);
      const answered = got.status === 200 ? (await got.bytes()).length : await got.text();
      expect(answered).toBe(content.length);
      this.done++;
    }
  }
}

describe("failover", () => {
  for (const delivery of ["local", "proxy"] as const) {
    test(`storages and trackers die in turn and no operation fails, delivery ${delivery}`, async () => {
      await using dir = await tempDir();
      await using cluster = await startCluster({
        dataDir: dir.path,
        delivery,
        heartbeatIntervalMs: 100,
      });
      await using client = cluster.client();
      const loops = [1, 2, 3, 4].map((n) => new Loop(`loop${n}`, cluster, client));
      const total = () => loops.reduce((sum, loop) => sum + loop.done, 0);
      const moreWork = async () => {
        const before = total();
        const goesOn = until("the loops get on", () => total() > before + 20);
        await Promise.race([goesOn, ...loops.map((loop) => loop.finished)]);
      };
      await moreWork();
      for (const member of [...cluster.storages, ...cluster.trackers]) {
        await member.kill();
        await moreWork();
        await member.start();
        await untilComplete(cluster, client);
        await moreWork();
      }
      await Promise.all(loops.map((loop) => loop.stop()));
      expect(total()).toBeGreaterThan(100);
    });
  }

  test("a drained storage is named by no tracker, its uploads end, and it comes back", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path, heartbeatIntervalMs: 100 });
    await using client = cluster.client();
    await client.drain("g1-s1", true);
    const draining = async () => {
      const seen = await client.statusAll();
      const members = seen.flatMap(({ response }) => response?.groups[0]?.members ?? []);
      return members.filter((m) => m.storageId === "g1-s1" && m.draining).length;
    };
    await until("both trackers know", async () => (await draining()) === 2);
    for (let i = 0; i < 5; i++) {
      await client.upload({ user: "u", fileId: `f${i}`, source: bytesSource(new Uint8Array(10)) });
    }
    await client.drain("g1-s1", false);
    await until("it is named again", async () => (await draining()) === 0);
  });

  test("a user whose group has no live storage is told which group and since when", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({
      dataDir: dir.path,
      heartbeatIntervalMs: 50,
      delivery: "proxy",
    });
    await using client = cluster.client();
    await client.upload({ user: "u", fileId: "f", source: bytesSource(new Uint8Array(10)) });
    for (const storage of cluster.storages) await storage.kill();
    await until("the trackers notice", async () => {
      const { groups } = await client.status();
      return groups.every((group) => group.members.every((member) => !member.online));
    });
    const got = await fetch(`${cluster.http}/media/u/f`);
    const problem = await jsonOf(got);
    expect([got.status, problem.code]).toEqual([503, "GROUP_UNAVAILABLE"]);
    expect(problem.detail).toMatch(/^group g1 has had no live storage since \d{4}-/);
  });

  test("two trackers asked at the same moment for new users give the same group", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path, groups: 3, storages: 1 });
    const one = (endpoint: string) =>
      new DsmClient({ trackers: [endpoint], secret: cluster.secret });
    const clients = cluster.trackers.map((tracker) => one(tracker.endpoint));
    for (let i = 0; i < 20; i++) {
      const uploaded = await Promise.all(
        clients.map((client, n) =>
          client.upload({ user: `u${i}`, fileId: `f${n}`, source: bytesSource(new Uint8Array(1)) }),
        ),
      );
      expect(new Set(uploaded.map(({ file }) => file.group)).size).toBe(1);
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});

async function untilComplete(cluster: Cluster, client: DsmClient): Promise<void> {
  await until("every tracker knows every storage", async () => {
    const seen = await client.statusAll();
    return seen.every(({ response }) => {
      const members = response?.groups.flatMap((group) => group.members) ?? [];
      const online = members.filter((member) => member.online).length;
      return online === cluster.storages.filter((storage) => storage.isRunning).length;
    });
  });
}
