import { expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { collect, tempDir } from "@dsm/testkit";

/** A port mapping, as NAT and containers have them: it passes on what comes to it. */
async function portMapping() {
  let toPort = 0;
  let passed = 0;
  const server = createServer((outside) => {
    passed++;
    const inside = connect(toPort, "127.0.0.1");
    for (const socket of [outside, inside]) socket.on("error", () => socket.destroy());
    outside.pipe(inside);
    inside.pipe(outside);
    outside.on("close", () => inside.destroy());
    inside.on("close", () => outside.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo: (port: number) => (toPort = port),
    passed: () => passed,
    [Symbol.dispose]: () => void server.close(),
  };
}

test("clients are sent to the address that the public reaches, and only reads come by it", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({
    dataDir: dir.path,
    storages: 0,
    delivery: "redirect",
  });
  using mapping = await portMapping();
  await using storage = await startStorage({
    id: "s1",
    group: "g1",
    root: join(dir.path, "root"),
    hostname: "127.0.0.1",
    port: 0,
    publicListen: { hostname: "127.0.0.1", port: 0 },
    publicUrl: mapping.url,
    trackers: cluster.trackerEndpoints,
    idServers: cluster.ids.map((server) => server.endpoint),
    secret: clusterSecret(cluster.secret),
    catalog: cluster.catalog,
    leaseIds: 16,
    reserveBytes: 0,
    trashGraceMs: 60_000,
    reapIntervalMs: 60_000,
    log: silentLog,
  });
  mapping.leadTo(storage.publicPort ?? 0);
  await using client = cluster.client();
  const content = crypto.getRandomValues(new Uint8Array(300_000));
  await client.upload({ user: "ann", fileId: "f.mp4", source: bytesSource(content) });
  expect(mapping.passed()).toBe(0);

  const { groups } = await client.status();
  expect(groups.flatMap(({ members }) => members.map((it) => [it.dataUrl, it.publicUrl]))).toEqual([
    [storage.dataUrl, mapping.url],
  ]);

  const got = await fetch(`${cluster.http}/media/ann/f.mp4`, { headers: { Range: "bytes=7-" } });
  expect([got.status, new URL(got.url).origin]).toEqual([206, mapping.url]);
  expect(await got.bytes()).toEqual(content.slice(7));
  expect(mapping.passed()).toBe(1);

  const written = await fetch(got.url, { method: "DELETE" });
  expect([written.status, written.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  const { body } = await client.open({ user: "ann", fileId: "f.mp4" });
  expect(await collect(body)).toEqual(content);
});
