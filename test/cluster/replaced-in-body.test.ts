import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { blobPath } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";

const MiB = 1024 * 1024;
/** Far more than all buffers between a storage and a client hold. */
const sizeBytes = 64 * MiB;
const random = () => Buffer.alloc(sizeBytes, crypto.getRandomValues(new Uint8Array(65_521)));

describe("a file that is replaced or deleted while it is read slowly through a gateway", () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let client: DsmClient;

  beforeAll(async () => {
    const dir = stack.use(await tempDir());
    const options = { dataDir: dir.path, delivery: "proxy", freshnessMs: 0 } as const;
    cluster = stack.use(await startCluster(options));
    client = stack.use(cluster.client());
  });
  afterAll(() => stack.disposeAsync());

  const put = (fileId: string, content: Uint8Array) =>
    client.upload({ user: "ann", fileId, source: bytesSource(content), overwrite: true });
  const urlOf = (fileId: string) => `${cluster.http}/media/ann/${fileId}`;

  /** Reads a whole body; what happens in the middle is waited for before it reads on. */
  async function read(fileId: string, inTheMiddle: () => Promise<unknown>) {
    const response = await fetch(urlOf(fileId));
    const hasher = new Bun.CryptoHasher("sha256");
    let [got, isBehind] = [0, false];
    for await (const chunk of response.body ?? []) {
      hasher.update(chunk);
      got += chunk.length;
      if (isBehind || got < MiB) continue;
      isBehind = true;
      await inTheMiddle();
    }
    return hasher.digest("hex");
  }

  test("gives its reader the old bytes to the end, and the next one the new", async () => {
    const [older, newer] = [random(), random()];
    await put("film", older);
    const got = await read("film", () => put("film", newer));
    expect(got).toBe(Bun.SHA256.hash(older, "hex"));
    expect(await read("film", async () => {})).toBe(Bun.SHA256.hash(newer, "hex"));
  });

  test("so does one that is deleted, also when its storage dies then and no tracker answers", async () => {
    const content = random();
    await put("gone", content);
    const got = await read("gone", async () => {
      await client.delete({ user: "ann", fileId: "gone" });
      expect((await fetch(urlOf("gone"))).status).toBe(404);
      for (const tracker of cluster.trackers) await tracker.kill();
      await cluster.storages[0]!.kill();
    });
    for (const member of [...cluster.trackers, cluster.storages[0]!]) await member.start();
    expect(got).toBe(Bun.SHA256.hash(content, "hex"));
  });

  test("breaks the connection when the old bytes are gone for good, and mixes nothing", async () => {
    const { file } = await put("late", random());
    const outcome = read("late", async () => {
      await put("late", random());
      // As the reaper does when the grace is over.
      await rm(join(cluster.groupRoot("g1"), blobPath(file.blobId)));
    });
    expect(await outcome.catch(() => "broken")).toBe("broken");
  });
});
