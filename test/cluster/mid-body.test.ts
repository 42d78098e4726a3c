import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";

const sizeBytes = 64 * 1024 * 1024;
const content = Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));
const sha256 = Bun.SHA256.hash(content, "hex");
const pieceBytes = 256 * 1024;

/** A source of pieces, so that there is a middle to die in. */
const source = {
  sizeBytes,
  replayable: true,
  open: async function* () {
    for (let at = 0; at < sizeBytes; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
  },
};

/** Kills the storage that works on a request, once one does: reads ask only now and then. */
async function killTheBusyOne(cluster: Cluster): Promise<string> {
  const busy = await until("a storage is at work", () =>
    cluster.storages.find((it) => it.isRunning && it.running.activeRequests > 0),
  );
  await busy.kill();
  return busy.name;
}

/** Reads on while `inTheMiddle` is done, for a storage is at work only then. */
async function hashOf(body: AsyncIterable<Uint8Array>, inTheMiddle: () => Promise<unknown>) {
  const hasher = new Bun.CryptoHasher("sha256");
  let read = 0;
  let deed: Promise<unknown> | undefined;
  for await (const chunk of body) {
    hasher.update(chunk);
    read += chunk.length;
    if (read > sizeBytes / 4) deed ??= inTheMiddle();
  }
  const killed = (await deed) !== undefined;
  return { read, killed, sha256: hasher.digest("hex") };
}

describe("a storage that dies in the middle of a body", () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let client: DsmClient;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    const options = { dataDir: dir.path, delivery: "proxy", heartbeatIntervalMs: 100 } as const;
    cluster = stack.use(await startCluster(options));
    client = stack.use(cluster.client());
    await client.upload({ user: "ann", fileId: "there", source: bytesSource(content) });
  });
  afterAll(() => stack.disposeAsync());

  async function reviveAll(): Promise<void> {
    for (const storage of cluster.storages) if (!storage.isRunning) await storage.start();
  }

  test("costs an upload a retry that the SDK does itself", async () => {
    const kill = Promise.withResolvers<string>();
    let struck = false;
    const { file, created } = await client.upload({
      user: "ann",
      fileId: "new",
      source,
      onProgress: (sentBytes) => {
        if (struck || sentBytes < sizeBytes / 2) return;
        struck = true;
        killTheBusyOne(cluster).then(kill.resolve, kill.reject);
      },
    });
    expect(await kill.promise).toMatch(/^g1-s/);
    expect([created, file.sha256, file.version]).toEqual([true, sha256, 1]);
    await reviveAll();
  });

  test("is no gap in a download of the SDK", async () => {
    const { body } = await client.open({ user: "ann", fileId: "there" });
    const got = await hashOf(body, () => killTheBusyOne(cluster));
    expect(got).toEqual({ read: sizeBytes, killed: true, sha256 });
    await reviveAll();
  });

  test("is no gap in a body that the gateway proxies", async () => {
    const response = await fetch(`${cluster.http}/media/ann/there`);
    expect(response.headers.get("content-length")).toBe(String(sizeBytes));
    const got = await hashOf(response.body!, () => killTheBusyOne(cluster));
    expect(got).toEqual({ read: sizeBytes, killed: true, sha256 });
    await reviveAll();
  });

  test("breaks the connection, and never ends the body, when nobody can serve the rest", async () => {
    const response = await fetch(`${cluster.http}/media/ann/there`);
    const killAll = () => Promise.all(cluster.storages.map((storage) => storage.kill()));
    const outcome = await hashOf(response.body!, killAll).then(
      () => "complete",
      () => "broken",
    );
    expect(outcome).toBe("broken");
    await reviveAll();
  });
});
