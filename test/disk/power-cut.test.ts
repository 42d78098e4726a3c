import { describe, expect, test } from "bun:test";
import { cp, mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, startCluster } from "@dsm/cluster";
import { DsmError } from "@dsm/protocol";
import { FaultyFs, faultyFsMissing, tempDir, until } from "@dsm/testkit";

const user = "ann";
const secret = "7".repeat(64);
const why = faultyFsMissing === undefined ? "" : ` (${faultyFsMissing})`;

/** What one writer knows of its files: those that were acknowledged, and those that were not. */
class Writer {
  readonly kept = new Map<string, Uint8Array>();
  readonly deleted = new Set<string>();
  readonly inDoubt = new Set<string>();
  readonly #client: DsmClient;
  readonly #name: string;
  readonly #isOver: () => boolean;

  constructor(client: DsmClient, name: string, isOver: () => boolean) {
    this.#client = client;
    this.#name = name;
    this.#isOver = isOver;
  }

  /** Small and large files, overwrites and deletes, until the power is gone. */
  async run(): Promise<void> {
    for (let turn = 0; !this.#isOver(); turn++) {
      const fileId = `${this.#name}/${turn % 5}/${turn % 7}`;
      const remove = turn % 4 === 3 && this.kept.has(fileId);
      this.inDoubt.add(fileId);
      try {
        if (remove) await this.#delete(fileId);
        else await this.#put(fileId, turn);
        this.inDoubt.delete(fileId);
      } catch (error) {
        if (!(error instanceof DsmError)) throw error;
      }
    }
  }

  async #put(fileId: string, turn: number): Promise<void> {
    const bytes = crypto.getRandomValues(new Uint8Array(turn % 3 === 0 ? 60_000 : 900));
    const source = bytesSource(bytes);
    await this.#client.upload({ user, fileId, source, overwrite: true });
    this.kept.set(fileId, bytes);
    this.deleted.delete(fileId);
  }

  async #delete(fileId: string): Promise<void> {
    await this.#client.delete({ user, fileId });
    this.kept.delete(fileId);
    this.deleted.add(fileId);
  }
}

/** The group's files on a file system of their own; the catalog beside it. */
async function startOn(groupRoot: string, dataDir: string): Promise<Cluster> {
  await mkdir(join(dataDir, "groups"), { recursive: true });
  await symlink(groupRoot, join(dataDir, "groups", "g1"));
  return startCluster({ dataDir, secret });
}

async function bytesOf(cluster: Cluster, fileId: string): Promise<Uint8Array> {
  const response = await fetch(`${cluster.http}/media/${user}/${fileId}`);
  expect([fileId, response.status]).toEqual([fileId, 200]);
  return response.bytes();
}

describe.skipIf(faultyFsMissing !== undefined)(`the power is cut${why}`, () => {
  test("what was acknowledged by then is there, however little the disk had kept", async () => {
    await using before = await tempDir();
    await using after = await tempDir();
    await using fs = await FaultyFs.mount();
    const writers: Writer[] = [];
    let isCut = false;
    let survived = "";
    {
      await using cluster = await startOn(fs.path, before.path);
      await using client = cluster.client();
      for (let n = 0; n < 6; n++) writers.push(new Writer(client, `w${n}`, () => isCut));
      const running = writers.map((writer) => writer.run());
      const acknowledged = () =>
        writers.reduce((sum, { kept, deleted }) => sum + kept.size + deleted.size, 0);
      await until("there is much to lose", () => acknowledged() > 90);
      survived = await fs.powerCut();
      isCut = true;
      for (const storage of cluster.storages) await storage.kill();
      await Promise.all(running);
      await cp(before.path, join(after.path, "data"), {
        recursive: true,
        filter: (path) => !path.includes("/groups"),
      });
    }
    await rename(survived, join(after.path, "g1"));
    await using cluster = await startOn(join(after.path, "g1"), join(after.path, "data"));
    for (const { kept, deleted, inDoubt } of writers) {
      for (const [fileId, bytes] of kept) {
        if (!inDoubt.has(fileId)) expect(await bytesOf(cluster, fileId)).toEqual(bytes);
      }
      for (const fileId of deleted) {
        if (inDoubt.has(fileId)) continue;
        expect((await fetch(`${cluster.http}/media/${user}/${fileId}`)).status).toBe(404);
      }
    }
  }, 60_000);
});
