import { expect, test } from "bun:test";
import { silentLog } from "@dsm/log";
import { clusterSecret, DsmError, signMaintenance } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { until } from "@dsm/testkit";
import { Scene } from "./scene.ts";

const slow = { digests: true, bytesPerSecond: 1 };

/** A job that is under way, and what it ends with. */
async function begin(s: Scene) {
  const lines = s.client.maintain({ group: "g1", job: "fsck", params: slow });
  await lines.next();
  const ended = (async () => {
    try {
      for await (const line of lines) if ("done" in line) return "done";
      return "end";
    } catch (error) {
      return DsmError.from(error, "fsck").code;
    }
  })();
  return { lines, ended };
}

async function sceneWithFiles(storages: number): Promise<Scene> {
  const s = await Scene.open({ storages });
  // At a byte a second each of them takes longer than any test.
  for (const fileId of ["a", "b", "c"]) await s.put(fileId, "x".repeat(10_000));
  return s;
}

test("a reader that leaves ends the work, and the next one may begin", async () => {
  await using s = await sceneWithFiles(1);
  const { lines } = await begin(s);
  await expect(s.fsck()).rejects.toMatchObject({ code: "CONFLICT" });
  void lines.return();
  const again = await until("it has ended", () => s.fsck().catch(() => undefined));
  expect(again.findings).toEqual([]);
});

test("a storage that stops, or dies, tells or is missed", async () => {
  await using s = await sceneWithFiles(1);
  const [storage] = s.cluster.storages;
  const first = await begin(s);
  await storage!.drain();
  expect(await first.ended).toBe("DRAINING");
  await storage!.start();
  const second = await begin(s);
  await storage!.kill();
  expect(await second.ended).toBe("UNREACHABLE");
});

test("a storage that died a moment ago is passed over", async () => {
  await using s = await sceneWithFiles(2);
  await s.cluster.storages[0]!.kill();
  expect((await s.fsck()).findings).toEqual([]);
  expect((await s.fsck()).findings).toEqual([]);
});

test("wrong parameters are refused, by name", async () => {
  await using s = await Scene.open();
  const refused = s.fsck({ repare: true });
  await expect(refused).rejects.toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringContaining("repare"),
  });
});

test("only the inside port does maintenance", async () => {
  await using s = await Scene.open();
  const { catalog, secret, trackerEndpoints, ids } = s.cluster;
  await using storage = await startStorage({
    id: "g1-s2",
    group: "g1",
    root: s.root,
    hostname: "127.0.0.1",
    port: 0,
    publicListen: { hostname: "127.0.0.1", port: 0 },
    leaseIds: 1,
    reserveBytes: 0,
    trashGraceMs: 60_000,
    reapIntervalMs: 60_000,
    log: silentLog,
    catalog,
    secret: clusterSecret(secret),
    trackers: trackerEndpoints,
    idServers: ids.map(({ endpoint }) => endpoint),
  });
  const right = signMaintenance(clusterSecret(secret), "g1", Date.now() + 60_000);
  const ask = async (url: string) => {
    const headers = { Authorization: `Bearer ${right}` };
    const response = await fetch(`${url}/maintenance/fsck`, { method: "POST", headers });
    await response.body?.cancel();
    return response.status;
  };
  expect(storage.publicUrl).not.toBe(storage.dataUrl);
  expect([await ask(storage.dataUrl), await ask(storage.publicUrl)]).toEqual([200, 404]);
});
