import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret, type Intent, mediaPath, signCapability } from "@dsm/protocol";
import { startStorage, type Storage, type StorageOptions } from "@dsm/storage";
import { FaultyFs, type FaultRule, tempDir } from "@dsm/testkit";

const user = "ann";
const group = "g1";

/** A small file that tells the storage whether its disk is well again: it must fail as well. */
const probeFails: FaultRule = { op: "create", path: "^/\\.dsm-probe", error: "EIO" };

export interface Answer {
  readonly status: number;
  /** Of a problem; empty where there is none. */
  readonly code: string;
  readonly detail: string;
}

/**
 * A group of two members with one file system, which one of them sees through a mount that fails
 * where it is told to, as one host of several loses its disk or its mount.
 */
export class SickMember implements AsyncDisposable {
  readonly fs: FaultyFs;
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly sick: Storage;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, fs: FaultyFs, cluster: Cluster, sick: Storage) {
    this.#stack = stack;
    this.fs = fs;
    this.cluster = cluster;
    this.sick = sick;
    this.client = stack.use(cluster.client());
  }

  static async open(options: Partial<StorageOptions> = {}): Promise<SickMember> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const fs = stack.use(await FaultyFs.mount());
    await mkdir(join(dir.path, "groups"));
    await symlink(fs.source, join(dir.path, "groups", group));
    const terms = { doubtSettleMs: 100, orphanAgeMs: 0, reserveBytes: 0, scrubBytesPerSecond: 0 };
    const cluster = stack.use(
      await startCluster({ dataDir: dir.path, storages: 1, trackers: 1, ...terms }),
    );
    const sick = stack.use(
      await startStorage({
        id: "sick",
        group,
        root: fs.path,
        hostname: "127.0.0.1",
        port: 0,
        trackers: cluster.trackerEndpoints,
        idServers: cluster.ids.map(({ endpoint }) => endpoint),
        secret: clusterSecret(cluster.secret),
        catalog: cluster.catalog,
        // With the ids of a whole directory, so that it shares none with the other member.
        leaseIds: 1_024,
        trashGraceMs: 86_400_000,
        reapIntervalMs: 86_400_000,
        ...terms,
        ...options,
        log: silentLog,
      }),
    );
    await cluster.catalog.assignGroup(user, group, Date.now());
    return new SickMember(stack.move(), fs, cluster, sick);
  }

  /** These rules, and the storage stays ill from the first failure on until `heal`. */
  async inject(...rules: FaultRule[]): Promise<void> {
    await this.fs.inject(...rules, probeFails);
  }

  async heal(): Promise<void> {
    await this.fs.inject();
  }

  /** Rules that have met something, the probe aside. */
  get hits(): Array<{ op: string; path: string }> {
    return this.fs.hits.filter(({ path }) => !path.startsWith("/.dsm-probe"));
  }

  /** To the sick member itself, past all that would ask another one. */
  async put(fileId: string, body: Uint8Array | string): Promise<Answer> {
    return answerOf(await this.#ask("write", fileId, { method: "PUT", body }));
  }

  async delete(fileId: string): Promise<Answer> {
    return answerOf(await this.#ask("delete", fileId, { method: "DELETE" }));
  }

  read(fileId: string): Promise<Response> {
    return this.#ask("read", fileId, {});
  }

  /** By way of the trackers. */
  async putAnywhere(fileId: string, text: string): Promise<void> {
    const source = bytesSource(Buffer.from(text));
    await this.client.upload({ user, fileId, source, overwrite: true });
  }

  /** What everybody sees; null for no such file. */
  async seen(fileId: string): Promise<string | null> {
    const response = await fetch(`${this.cluster.http}/media/${user}/${fileId}`);
    return response.status === 404 ? null : Bun.SHA256.hash(await response.bytes(), "hex");
  }

  async isFailing(): Promise<boolean> {
    const member = await this.#member();
    return member?.failing === true;
  }

  async isFull(): Promise<boolean> {
    const member = await this.#member();
    return member?.full === true;
  }

  /** Paths of all that lies below a folder of the group. */
  async files(...folders: string[]): Promise<string[]> {
    const found = folders.map(async (folder) => {
      const all = await readdir(join(this.fs.source, folder), {
        recursive: true,
        withFileTypes: true,
      }).catch(() => []);
      return all.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
    });
    return (await Promise.all(found)).flat();
  }

  /** The kinds of what fsck finds, and of what it could not mend. */
  async fsck(repair: boolean): Promise<{ kinds: string[]; left: unknown[] }> {
    const kinds: string[] = [];
    const left: unknown[] = [];
    const params = { repair, digests: true };
    for await (const line of this.client.maintain({ group, job: "fsck", params })) {
      if (!("finding" in line)) continue;
      kinds.push(String(line.finding["kind"]));
      if (line.finding["repaired"] === undefined) left.push(line.finding);
    }
    return { kinds, left };
  }

  async #member() {
    const { groups } = await this.client.status();
    return groups[0]?.members.find(({ storageId }) => storageId === "sick");
  }

  #ask(intent: Intent, fileId: string, init: RequestInit): Promise<Response> {
    const claims = { intent, user, group, expiresAtMs: Date.now() + 60_000 };
    const right = signCapability(clusterSecret(this.cluster.secret), claims);
    const headers = { Authorization: `Bearer ${right}` };
    return fetch(new URL(mediaPath(user, fileId), this.sick.dataUrl), { ...init, headers });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const { status } = response;
  const { code, detail } = JSON.parse((await response.text()) || "{}") as Partial<Answer>;
  return response.ok
    ? { status, code: "", detail: "" }
    : { status, code: code ?? "", detail: detail ?? "" };
}
