import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DsmClient } from "@dsm/client";
import { type Cluster, type ClusterOptions, startCluster } from "@dsm/cluster";
import { tempDir, until } from "@dsm/testkit";
import { MoveLoad } from "./move-load.ts";

export const user = "ann";
const quick = {
  groups: 2,
  reserveBytes: 0,
  movePollMs: 20,
  freshnessMs: 0,
  heartbeatIntervalMs: 200,
};

/** Two groups, and a user of the first one. */
export class Scene implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly load: MoveLoad;
  readonly dataDir: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    stack: AsyncDisposableStack,
    cluster: Cluster,
    client: DsmClient,
    dataDir: string,
  ) {
    this.#stack = stack;
    this.cluster = cluster;
    this.client = client;
    this.load = new MoveLoad(user, cluster, client);
    this.dataDir = dataDir;
  }

  static async open(options: Partial<ClusterOptions> = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const { path: dataDir } = stack.use(await tempDir());
    const cluster = stack.use(await startCluster({ dataDir, ...quick, ...options }));
    const client = stack.use(cluster.client());
    await client.assign(user, "g1");
    return new Scene(stack.move(), cluster, client, dataDir);
  }

  async moved(): Promise<void> {
    const left = async () => (await this.client.moves({ user, limit: 10 })).moves;
    await until("all files have moved", async () => (await left()).length === 0, 30_000);
  }

  async findings(group: string): Promise<unknown[]> {
    const findings: unknown[] = [];
    const params = { repair: false, digests: true };
    for await (const line of this.client.maintain({ group, job: "fsck", params })) {
      if ("finding" in line) findings.push(line.finding);
    }
    return findings;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

export async function blobsOnDisk(root: string): Promise<string[]> {
  const all = await readdir(join(root, "blobs"), { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map(({ name }) => name);
}
