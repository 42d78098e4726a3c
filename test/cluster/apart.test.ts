import { expect, test } from "bun:test";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { createLog, type Log, silentLog } from "@dsm/log";
import { clusterSecret, DsmError } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { tempDir, until } from "@dsm/testkit";

/** A storage of the cluster's first group on whatever folder. */
function storageOn(cluster: Cluster, id: string, root: string, log: Log = silentLog) {
  return startStorage({
    id,
    group: "g1",
    root,
    hostname: "127.0.0.1",
    port: 0,
    trackers: cluster.trackerEndpoints,
    idServers: cluster.ids.map(({ endpoint }) => endpoint),
    secret: clusterSecret(cluster.secret),
    catalog: cluster.catalog,
    leaseIds: 16,
    reserveBytes: 0,
    trashGraceMs: 1e9,
    reapIntervalMs: 1e8,
    log,
  });
}

async function members(cluster: Cluster) {
  await using client = cluster.client();
  const { groups } = await client.status();
  return groups.flatMap((group) => group.members);
}

test("a storage on a copy of the file system is refused by what the members do not see", async () => {
  await using dir = await tempDir();
  await using cluster = await startCluster({ dataDir: dir.path, storages: 1, reserveBytes: 0 });
  const root = cluster.groupRoot("g1");
  const refusalOn = async (folder: string) => {
    const thrown: unknown = await storageOn(cluster, "s9", folder).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(thrown instanceof DsmError)) throw new Error("it was let in", { cause: thrown });
    return thrown;
  };

  const marked = join(dir.path, "marked");
  await mkdir(marked);
  await cp(join(root, "dsm-group.json"), join(marked, "dsm-group.json"));
  const unseen = await refusalOn(marked);
  expect(unseen.code).toBe("BAD_CONFIG");
  const { dataUrl } = cluster.storages[0]!.running;
  expect(unseen.message).toContain(`storage g1-s1 at ${dataUrl} has another one`);
  expect(unseen.message).toContain(marked);
  expect(unseen.message).toEndWith("its part of the journal is not there");
  expect(unseen.remedy).toContain("mount the group's one file system");

  // All of it, the parts of those that run too: only they can tell that it is another one.
  const copied = join(dir.path, "copied");
  await cp(root, copied, { recursive: true });
  const unknown = await refusalOn(copied);
  expect(unknown.message).toEndWith("it does not see this storage's part of the journal");
  expect((await members(cluster)).map(({ storageId }) => storageId)).toEqual(["g1-s1"]);

  await using _let = await storageOn(cluster, "s9", root);
  expect((await members(cluster)).map(({ failing }) => failing)).toEqual([false, false]);
}, 30_000);

test("of two that no tracker knew of, the later one gives way, and serves when the other has gone", async () => {
  await using dir = await tempDir();
  const terms = { storages: 0, trackers: 1, reserveBytes: 0, heartbeatIntervalMs: 100 };
  await using cluster = await startCluster({ dataDir: dir.path, delivery: "proxy", ...terms });
  const roots = ["one", "two"].map((name) => join(dir.path, name));
  await using first = await storageOn(cluster, "s2", roots[0]!);
  await cluster.trackers[0]!.kill();
  await cp(roots[0]!, roots[1]!, { recursive: true });
  const said: string[] = [];
  const log = createLog("info", { write: (line: string) => void said.push(line) });
  await using second = await storageOn(cluster, "s1", roots[1]!, log);
  await cluster.trackers[0]!.start();

  const failing = async () =>
    Object.fromEntries((await members(cluster)).map((it) => [it.storageId, it.failing]));
  await until("the later one gives way", async () => {
    return Bun.deepEquals(await failing(), { s1: true, s2: false });
  });
  expect(said.join("")).toContain(`storage s2 at ${first.dataUrl} has another one`);
  await using client = cluster.client();
  const upload = (fileId: string) =>
    client.upload({ user: "ann", fileId, source: bytesSource(new Uint8Array(9)) });
  await upload("a");
  expect((await upload("b")).file.sizeBytes).toBe(9);

  await first.drain();
  await until("it serves", async () => (await failing())["s1"] === false);
  await upload("c");
  expect(second.draining).toBe(false);
}, 60_000);
