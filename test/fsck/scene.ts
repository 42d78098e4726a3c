import { Database } from "bun:sqlite";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, type ClusterOptions, startCluster } from "@dsm/cluster";
import { encodeRecord } from "@dsm/journal";
import { type BlobId, blobIdFromNumber, blobPath, DsmError, type FileInfo } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";

export interface Checked {
  readonly findings: Array<Record<string, unknown>>;
  /** `kind on what`, sorted. */
  readonly told: string[];
  /** Those of which nothing was repaired. */
  readonly left: string[];
  readonly done: Record<string, unknown> | undefined;
}

/** A cluster of one group whose disk, journals and catalog a test can put out of order. */
export class Scene implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly root: string;
  readonly #dataDir: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(cluster: Cluster, dataDir: string, stack: AsyncDisposableStack) {
    this.cluster = cluster;
    this.#dataDir = dataDir;
    this.#stack = stack;
    this.root = cluster.groupRoot("g1");
    this.client = stack.use(cluster.client());
  }

  /** With one storage, and a fsck that doubts the youngest things as well. */
  static async open(options: Partial<ClusterOptions> = {}): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const { path: dataDir } = stack.use(await tempDir());
    const usual = { dataDir, storages: 1, orphanAgeMs: 0, reserveBytes: 0 };
    const cluster = stack.use(await startCluster({ ...usual, ...options }));
    return new Scene(cluster, dataDir, stack.move());
  }

  get catalogUrl(): string {
    return `sqlite:${join(this.#dataDir, "catalog.db")}`;
  }

  async put(fileId: string, body: string | Uint8Array = `the text of ${fileId}`, user = "ann") {
    const source = bytesSource(Buffer.from(body));
    const { file } = await this.client.upload({ user, fileId, source, overwrite: true });
    return file;
  }

  async delete(fileId: string, user = "ann"): Promise<void> {
    await this.client.delete({ user, fileId });
  }

  /** The text of a file, or the code of the error. */
  async read(fileId: string, user = "ann"): Promise<string> {
    try {
      const { body } = await this.client.open({ user, fileId });
      return Buffer.concat(await Array.fromAsync(body)).toString();
    } catch (error) {
      return DsmError.from(error, "the read").code;
    }
  }

  async fsck(params: Record<string, unknown> = {}): Promise<Checked> {
    const findings: Checked["findings"] = [];
    let done: Checked["done"];
    for await (const line of this.client.maintain({ group: "g1", job: "fsck", params })) {
      if ("finding" in line) findings.push(line.finding);
      if ("done" in line) done = line.done;
    }
    const left = findings.filter(({ repaired }) => repaired === undefined);
    return { findings, told: toldOf(findings), left: toldOf(left), done };
  }

  repair(params: Record<string, unknown> = {}): Promise<Checked> {
    return this.fsck({ ...params, repair: true });
  }

  /** Where something is, by its path below the root of the group. */
  at(path: string): string {
    return join(this.root, path);
  }

  blob({ blobId }: Pick<FileInfo, "blobId">): string {
    return this.at(blobPath(blobId));
  }

  async write(path: string, bytes: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true });
    await writeFile(this.at(path), bytes);
  }

  /** What lies in lost+found, without the notes. */
  async aside(): Promise<string[]> {
    const names = await readdir(this.at("lost+found")).catch(() => []);
    return names.filter((name) => !name.endsWith(".json"));
  }

  /** A statement behind the back of the cluster. */
  sql(statement: string, ...values: Array<string | number>): void {
    using database = new Database(join(this.#dataDir, "catalog.db"));
    database.run("PRAGMA busy_timeout = 5000");
    database.run(statement, values);
  }

  /** Forgets the newest version of a file, as a catalog from an older backup would. */
  forgetNewest(fileId: string, user = "ann"): void {
    const newest = "SELECT max(version) FROM versions WHERE user = ?1 AND file_id = ?2";
    const where = `user = ?1 AND file_id = ?2 AND version = (${newest})`;
    this.sql(`DELETE FROM versions WHERE ${where}`, user, fileId);
  }

  /** Every line of every journal, which may be changed or, by undefined, taken away. */
  async editJournals(edit: (line: string) => string | undefined): Promise<void> {
    for (const storage of await readdir(this.at("journal"))) {
      for (const name of await readdir(this.at(`journal/${storage}`))) {
        if (!name.endsWith(".log")) continue;
        const path = this.at(`journal/${storage}/${name}`);
        const lines = (await readFile(path, "utf8")).split("\n");
        // In place, for the storage goes on appending to the same file.
        await writeFile(
          path,
          lines
            .map(edit)
            .filter((it) => it !== undefined)
            .join("\n"),
        );
      }
    }
  }

  /** What a life of another storage would have left behind. */
  async journaled(...lines: string[]): Promise<void> {
    await mkdir(this.at("journal/g1-s9"), { recursive: true });
    await appendFile(this.at("journal/g1-s9/20200101T000000000Z-life-000000.log"), lines.join(""));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function toldOf(findings: ReadonlyArray<Record<string, unknown>>): string[] {
  return findings
    .map(({ kind, fileId, path, blobId, user }) => {
      return `${String(kind)} ${String(fileId ?? path ?? blobId ?? user)}`;
    })
    .toSorted();
}

/** An id that no storage of the scene is given. */
export function foreignId(n = 0): BlobId {
  return blobIdFromNumber(1_000_000 + n);
}

interface Put extends Partial<FileInfo> {
  readonly bytes: string;
  readonly replaces?: BlobId;
}

/** The record of a put by another storage, an hour ago. */
export function putRecord({ bytes, replaces, ...file }: Put): string {
  const full: FileInfo = {
    user: "ann",
    fileId: "lost",
    group: "g1",
    blobId: foreignId(),
    version: 1,
    sizeBytes: bytes.length,
    sha256: Bun.SHA256.hash(bytes, "hex"),
    mediaType: "text/plain",
    modifiedAtMs: Date.now() - 3_600_000,
    ...file,
  };
  return encodeRecord({
    kind: "put",
    file: full,
    ...(replaces === undefined ? {} : { replaces }),
  });
}

/** Written an hour later in the same life: what came before it was settled by then. */
export function laterRecord(): string {
  return encodeRecord({ kind: "abort", id: foreignId(9_999), version: 1, atMs: Date.now() });
}
