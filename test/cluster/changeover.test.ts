import { describe, expect, test } from "bun:test";
import { symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { startGateway } from "@dsm/gateway";
import { silentLog } from "@dsm/log";
import { jsonOf, tempDir, until } from "@dsm/testkit";

const caches = { freshnessMs: 0, outageGraceMs: 0, hotCacheBytes: 0, hotFileMaxBytes: 0 };
const largeBytes = 48 * 1024 * 1024;

describe("a gateway that has one group mounted and not the other", () => {
  test("changes over to the engine that keeps lengths, and cuts nobody off", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path, groups: 2, storages: 1 });
    await using client = cluster.client();
    await client.assign("ann", "g1");
    await client.assign("bob", "g2");
    const large = new Uint8Array(largeBytes).fill(7);
    await client.upload({ user: "ann", fileId: "f", source: bytesSource(large) });
    await client.upload({ user: "bob", fileId: "f", source: bytesSource(large) });

    await using gateway = await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      ...caches,
      delivery: "auto",
      mounts: new Map([["g1", cluster.groupRoot("g1")]]),
      log: silentLog,
    });
    const media = (user: string) => fetch(`${gateway.url}/media/${user}/f`);

    // Under way on the old engine while the change happens.
    const underWay = await media("ann");
    const reader = underWay.body!.getReader();
    let read = (await reader.read()).value?.length ?? 0;

    const first = await media("bob");
    expect([first.status, first.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await jsonOf(first)).code).toBe("OVERLOADED");
    const again = await media("bob");
    expect([again.status, again.headers.get("content-length")]).toEqual([200, `${largeBytes}`]);
    expect((await again.bytes()).length).toBe(largeBytes);
    const mounted = await media("ann");
    expect([mounted.status, mounted.headers.get("content-length")]).toEqual([200, `${largeBytes}`]);
    expect((await mounted.bytes()).length).toBe(largeBytes);

    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      read += part.value.length;
    }
    expect(read).toBe(largeBytes);
  });

  test("reads from storages while a mount is away, and calls no file damaged", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path, groups: 1, storages: 1 });
    await using client = cluster.client();
    const bytes = new Uint8Array(300_000).fill(7);
    await client.upload({ user: "ann", fileId: "f", source: bytesSource(bytes) });
    const mount = join(dir.path, "mnt");
    await symlink(cluster.groupRoot("g1"), mount);
    await using gateway = await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      ...caches,
      delivery: "auto",
      mounts: new Map([["g1", mount]]),
      log: silentLog,
    });
    const read = async () => {
      const response = await fetch(`${gateway.url}/media/ann/f`);
      return { status: response.status, sizeBytes: (await response.bytes()).length };
    };
    const deliveries = async (from: string) => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      return Number(new RegExp(`deliveries_total\\{from="${from}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
    };
    const whole = { status: 200, sizeBytes: bytes.length };
    expect(await read()).toEqual(whole);
    expect(await deliveries("local")).toBe(1);

    await unlink(mount);
    const seen: number[] = [];
    // One is told to come again, for the engine has to be changed: see above.
    await until("storages are read", async () => {
      const { status } = await read();
      seen.push(status);
      return status === 200;
    });
    expect(seen).not.toContain(500);
    expect(await read()).toEqual(whole);

    await symlink(cluster.groupRoot("g1"), mount);
    const before = await deliveries("local");
    await until("it is read from the mount again", async () => {
      expect(await read()).toEqual(whole);
      return (await deliveries("local")) > before;
    });
  });

  test("with delivery local it says what to do", async () => {
    await using dir = await tempDir();
    await using cluster = await startCluster({ dataDir: dir.path, groups: 1, storages: 1 });
    await using client = cluster.client();
    await client.upload({ user: "ann", fileId: "f", source: bytesSource(new Uint8Array(9)) });
    await using bare = await tempDir();
    await using gateway = await startGateway({
      hostname: "127.0.0.1",
      port: 0,
      trackers: cluster.trackerEndpoints,
      secret: cluster.secret,
      ...caches,
      delivery: "local",
      // The folder is there, but the group's file system is not mounted on it.
      mounts: new Map([["g1", bare.path]]),
      log: silentLog,
    });
    const got = await fetch(`${gateway.url}/media/ann/f`);
    const problem = await jsonOf<{ code: string; remedy: string }>(got);
    expect([got.status, problem.code]).toEqual([503, "GROUP_UNAVAILABLE"]);
    expect(problem.remedy).toContain("mount it");
  });
});
