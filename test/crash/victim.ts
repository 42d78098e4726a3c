import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import type { CrashPoint } from "@dsm/faults";
import { journalParts } from "@dsm/journal";
import { clusterSecret, mediaPath, signCapability, trashPath } from "@dsm/protocol";
import { startProcess, tempDir, type TestProcess } from "@dsm/testkit";
import type { VictimOptions } from "./storage-process.ts";

const script = resolve(import.meta.dir, "storage-process.ts");
export const user = "ann";
export const group = "g1";

/** A file that is absent is null. */
export type State = string | null;

/**
 * A cluster with a member in a process of its own that dies where it is told to, and what is known
 * of each file: after an operation that was not acknowledged two states are possible.
 */
export class World implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly possible = new Map<string, State[]>();
  readonly #stack: AsyncDisposableStack;
  readonly #options: VictimOptions;
  #victim: TestProcess | undefined;
  #url = "";
  #isDead = false;

  private constructor(stack: AsyncDisposableStack, cluster: Cluster, options: VictimOptions) {
    this.#stack = stack;
    this.cluster = cluster;
    this.client = stack.use(cluster.client());
    this.#options = options;
  }

  static async open(catalogUrl?: string): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const url = catalogUrl ?? `sqlite:${dir.path}/catalog.db`;
    const options = { dataDir: dir.path, catalogUrl: url, storages: 1 };
    const cluster = stack.use(await startCluster({ ...options, orphanAgeMs: 0, freshnessMs: 0 }));
    await cluster.catalog.assignGroup(user, group, Date.now());
    return new World(stack.move(), cluster, {
      id: "victim",
      group,
      root: cluster.groupRoot(group),
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map(({ endpoint }) => endpoint),
      trashGraceMs: 86_400_000,
      reapIntervalMs: 50,
      doubtSettleMs: 100,
      orphanAgeMs: 0,
      secret: cluster.secret,
      catalogUrl: url,
    });
  }

  /** Kills one that still runs, and lets it run until it dies at a point, if one is named. */
  async start(crashAt?: CrashPoint, options: Partial<VictimOptions> = {}): Promise<void> {
    await this.stop();
    this.#victim = await startProcess({
      cmd: [process.execPath, script, JSON.stringify({ ...this.#options, ...options })],
      env: { DSM_CRASH_AT: crashAt ?? "" },
      ready: /ready (\S+)/,
    });
    this.#url = this.#victim.readyMatch?.[1] ?? "";
    this.#isDead = false;
    void this.#victim.exited.then(() => (this.#isDead = true));
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether this life of the victim has found out what became of what those before left open. */
  async hasSettled(): Promise<boolean> {
    const { root, id } = this.#options;
    const path = join(root, "journal", id, "settled.json");
    const settled: unknown = JSON.parse(await readFile(path, "utf8").catch(() => "{}"));
    const parts = await journalParts(root, id);
    const earlier = parts.filter(({ life }) => life !== parts.at(-1)?.life);
    return earlier.every((part) => Object(settled)[part.path] === part.sizeBytes);
  }

  /** @returns the exit code of the victim; 137 is kill -9 */
  async died(): Promise<number | undefined> {
    return Promise.race([this.#victim?.exited, Bun.sleep(10_000).then(() => -1)]);
  }

  async stop(): Promise<void> {
    await this.#victim?.stop();
    this.#victim = undefined;
  }

  put(fileId: string, text: string, headers: Record<string, string> = {}): Promise<void> {
    return this.#attempt(fileId, text, mediaPath(user, fileId), {
      method: "PUT",
      body: text,
      headers,
    });
  }

  delete(fileId: string): Promise<void> {
    return this.#attempt(fileId, null, mediaPath(user, fileId), { method: "DELETE" });
  }

  /** Of what lies in the trash under that name, the newest. @param text what it holds */
  async restore(fileId: string, text: string): Promise<void> {
    const { blobs } = await this.client.trash({ user, prefix: fileId, limit: 100 });
    const blobId = blobs.at(-1)?.file.blobId;
    return this.#attempt(fileId, text, `${trashPath(user, fileId)}?blob=${blobId}`, {
      method: "POST",
    });
  }

  /** What the victim itself serves; "dead" when it does not answer. */
  async read(fileId: string): Promise<State> {
    const url = this.#at(mediaPath(user, fileId));
    const response = await fetch(url, { headers: this.#right("read") });
    if (response.status === 404) return null;
    return response.ok ? response.text() : `status ${response.status}`;
  }

  async #attempt(
    fileId: string,
    state: State,
    path: string,
    init: { method: string; body?: string; headers?: Record<string, string> },
  ): Promise<void> {
    const before = this.possible.get(fileId) ?? [null];
    this.possible.set(fileId, [...before, state]);
    const intent = init.method === "DELETE" ? "delete" : "write";
    const headers = { ...init.headers, ...this.#right(intent) };
    const response = await fetch(this.#at(path), { ...init, headers }).catch(() => undefined);
    if (response?.ok === true) this.possible.set(fileId, [state]);
    // Refused, and so certainly not done.
    else if (response !== undefined && response.status < 500) this.possible.set(fileId, before);
  }

  #at(path: string): string {
    return new URL(path, this.#url).href;
  }

  #right(intent: "read" | "write" | "delete"): Record<string, string> {
    const claims = { intent, user, group, expiresAtMs: Date.now() + 60_000 };
    const capability = signCapability(clusterSecret(this.cluster.secret), claims);
    return { Authorization: `Bearer ${capability}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#stack.disposeAsync();
  }
}
