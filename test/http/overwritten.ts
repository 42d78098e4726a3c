import { readFile, stat, truncate } from "node:fs/promises";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { mediaPath } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";

export const reader = "ann";
export const fileId = "film.mp4";

/** A cluster with one file that is about to be overwritten. */
export class Overwritten implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, cluster: Cluster, client: DsmClient) {
    this.#stack = stack;
    this.cluster = cluster;
    this.client = client;
  }

  static async start(
    delivery: "local" | "proxy" | "redirect",
    old: Uint8Array,
  ): Promise<Overwritten> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const cluster = stack.use(
      await startCluster({ dataDir: dir.path, delivery, reserveBytes: 0, freshnessMs: 50 }),
    );
    const client = stack.use(cluster.client());
    const all = new Overwritten(stack.move(), cluster, client);
    await all.put(old);
    return all;
  }

  get url(): string {
    return `${this.cluster.http}${mediaPath(reader, fileId)}`;
  }

  /** The ETag that the gateway tells now. */
  async etag(): Promise<string> {
    return (await fetch(this.url, { method: "HEAD" })).headers.get("etag") ?? "";
  }

  /** Stores a version; when this resolves, the gateway knows of it. */
  async put(content: Uint8Array): Promise<void> {
    const source = bytesSource(content);
    const { file } = await this.client.upload({ user: reader, fileId, source, overwrite: true });
    await until("the gateway sees the version", async () =>
      (await this.etag()).includes(file.sha256),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Starts a download that is slow, and kills it when some of the file has come. */
export async function cutDownload(
  cmd: readonly string[],
  path: string,
  atBytes: number,
): Promise<Buffer> {
  const child = Bun.spawn([...cmd], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  try {
    await until("some of the file is there", async () => (await sizeOf(path)) >= atBytes);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
  // curl lets bursts pass its rate, on a busy machine all of the file at once.
  await truncate(path, atBytes);
  return readFile(path);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Runs a command to its end, at most for half a minute. @returns its exit code */
export async function exitOf(cmd: readonly string[]): Promise<number> {
  const child = Bun.spawn([...cmd], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: 30_000,
  });
  return child.exited;
}
