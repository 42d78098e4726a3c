import { cp, mkdir, open, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, type DsmClient } from "@dsm/client";
import { type Cluster, type ClusterOptions, startCluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import {
  blobPath,
  clusterSecret,
  type FileInfo,
  limits,
  type MaintenanceLine,
  mediaPath,
  piecesPath,
  signCapability,
  signMaintenance,
} from "@dsm/protocol";
import { startStorage, type Storage, type StorageOptions } from "@dsm/storage";
import { tempDir } from "@dsm/testkit";

const group = "g1";

/** What a scrub said when it was done. */
export interface ScrubDone {
  readonly damaged: number;
  readonly last: { blobs: number; bytes: number; found: number; healed: number; missing: number };
}

/**
 * A group whose members have a disk of their own each, as if every one read from another brick of
 * a replicated volume. What is uploaded goes to the first, and `copy` brings the second to its
 * state.
 */
export class Bricks implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: DsmClient;
  readonly #stack: AsyncDisposableStack;
  readonly #folder: string;
  readonly #over: Partial<StorageOptions>;
  first!: Storage;

  private constructor(
    stack: AsyncDisposableStack,
    folder: string,
    cluster: Cluster,
    over: Partial<StorageOptions>,
  ) {
    this.#stack = stack;
    this.#folder = folder;
    this.#over = over;
    this.cluster = cluster;
    this.client = stack.use(cluster.client());
  }

  static async start(
    over: Partial<StorageOptions> = {},
    clusterOver: Partial<ClusterOptions> = {},
  ): Promise<Bricks> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const options = { dataDir: dir.path, delivery: "proxy", storages: 0, trackers: 1 } as const;
    const cluster = stack.use(await startCluster({ ...options, ...clusterOver }));
    const bricks = new Bricks(stack, join(dir.path, "bricks"), cluster, over);
    bricks.first = await bricks.member(1);
    return bricks;
  }

  rootOf(brick: number): string {
    return join(this.#folder, `${brick}`);
  }

  /** Starts the member with this brick; it is stopped with the group. */
  async member(brick: number): Promise<Storage> {
    const { cluster } = this;
    const storage = await startStorage({
      ...this.place(brick),
      hostname: "127.0.0.1",
      port: 0,
      secret: clusterSecret(cluster.secret),
      catalog: cluster.catalog,
      leaseIds: 16,
      reserveBytes: 0,
      log: silentLog,
      ...this.#over,
    });
    return this.#stack.use(storage);
  }

  /** Who the member with this brick is, in whatever process. */
  place(brick: number) {
    const { cluster } = this;
    return {
      id: `s${brick}`,
      group,
      root: this.rootOf(brick),
      trackers: cluster.trackerEndpoints,
      idServers: cluster.ids.map((server) => server.endpoint),
      trashGraceMs: 1e9,
      reapIntervalMs: 1e8,
    };
  }

  get catalogUrl(): string {
    return `sqlite:${join(this.#folder, "../catalog.db")}`;
  }

  /** A member with a copy of what the first one has. */
  async copy(brick: number): Promise<Storage> {
    await this.copyFiles(brick);
    return this.member(brick);
  }

  async copyFiles(brick: number): Promise<void> {
    // Members look for each other's parts there: as they see it, the bricks are one file system.
    await mkdir(this.rootOf(brick));
    await symlink(join(this.rootOf(1), "journal"), join(this.rootOf(brick), "journal"));
    for (const folder of ["blobs", "pieces", "dsm-group.json"]) {
      const from = join(this.rootOf(1), folder);
      await cp(from, join(this.rootOf(brick), folder), { recursive: true }).catch(
        (error: NodeJS.ErrnoException) => {
          // Where no blob has pieces there is no such folder.
          if (error.code !== "ENOENT") throw error;
        },
      );
    }
  }

  async upload(fileId: string, content: Uint8Array, overwrite = false): Promise<FileInfo> {
    const source = bytesSource(content);
    return (await this.client.upload({ user: "ann", fileId, source, overwrite })).file;
  }

  blobOf({ blobId }: FileInfo, brick = 1): string {
    return join(this.rootOf(brick), blobPath(blobId));
  }

  sidecarOf({ blobId }: FileInfo, brick = 1): string {
    return join(this.rootOf(brick), piecesPath(blobId));
  }

  /** A pass by that member, to its end; the damaged files that are left, and what it says. */
  async scrub(storage: Pick<Storage, "dataUrl"> = this.first) {
    const lines = await this.maintain(storage, { now: true, bytesPerSecond: 2 ** 30 });
    const findings = lines.flatMap((line) => ("finding" in line ? [line.finding] : []));
    const last = lines.at(-1);
    if (last === undefined || !("done" in last)) throw new Error(JSON.stringify(last));
    return { findings, done: last.done as unknown as ScrubDone };
  }

  async maintain(storage: Pick<Storage, "dataUrl">, params: object): Promise<MaintenanceLine[]> {
    const secret = clusterSecret(this.cluster.secret);
    const token = signMaintenance(secret, group, Date.now() + 60_000);
    const response = await fetch(`${storage.dataUrl}/maintenance/scrub`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify(params),
    });
    const text = await response.text();
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as MaintenanceLine);
  }

  /** As a reader does who located the file, now or long ago. */
  read(storage: Storage, file: FileInfo, headers: Record<string, string> = {}, method = "GET") {
    const { user, fileId } = file;
    const claims = { intent: "read", user, group, fileId, file } as const;
    const expiresAtMs = Date.now() + 60_000;
    const capability = signCapability(clusterSecret(this.cluster.secret), {
      ...claims,
      expiresAtMs,
    });
    return fetch(`${storage.dataUrl}${mediaPath(user, fileId)}`, {
      method,
      headers: { Authorization: `Bearer ${capability}`, ...headers },
    });
  }

  /** The status of such a read, of which nobody takes the body. */
  async statusOf(...read: Parameters<Bricks["read"]>): Promise<number> {
    const { status, body } = await this.read(...read);
    await body?.cancel();
    return status;
  }

  async damageOf({ user, fileId }: FileInfo): Promise<string | undefined> {
    return (await this.cluster.catalog.current(user, fileId))?.file?.damage;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Noise, of which no two pieces are alike. */
export function noise(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, sizeBytes)));
  }
  return bytes;
}

/** Turns one bit of a byte on the disk. */
export async function flip(path: string, at: number): Promise<void> {
  await using handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Uint8Array.of((byte[0] ?? 0) ^ 0x10), 0, 1, at);
  await handle.sync();
}

export async function sha256Of(path: string): Promise<string> {
  return Bun.SHA256.hash(await readFile(path), "hex");
}

export const { pieceBytes } = limits;
