import type { Catalog } from "@dsm/catalog";
import { type PolicyOptions, servingPolicy } from "@dsm/delivery";
import { type ClusterSecret, DsmError, softwareVersion, type StorageState } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { Beats } from "./beats.ts";
import { BlobStore } from "./blob-store.ts";
import { Committer, type FileListener } from "./committer.ts";
import { assertReachable, DataPorts, type DataPortsOptions } from "./data-ports.ts";
import { FileWrites } from "./file-writes.ts";
import { claimGroupRoot } from "./group-root.ts";
import { IdLease } from "./id-lease.ts";
import { Journal } from "./journal.ts";
import { Reaper } from "./reaper.ts";
import { SpaceWatch } from "./space.ts";
import { WatchedFiles } from "./watched-files.ts";

export interface StorageOptions extends PolicyOptions, DataPortsOptions {
  readonly id: string;
  readonly group: string;
  /** Where the group file system is mounted. */
  readonly root: string;
  readonly trackers: readonly string[];
  readonly idServers: readonly string[];
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  /** Ids leased at a time. */
  readonly leaseIds: number;
  /** The storage is full when the group file system has less free than this. */
  readonly reserveBytes: number;
  readonly trashGraceMs: number;
  readonly reapIntervalMs: number;
  /** Told of each file that this storage changed, before the change is acknowledged. */
  readonly onChanged?: FileListener;
}

/** How long `drain` waits for requests that are under way. */
const drainTimeoutMs = 30_000;

/** Starts a storage; it is a member of its group when every tracker that lives has heard of it. */
export async function startStorage(options: StorageOptions): Promise<Storage> {
  assertReachable(options);
  await claimGroupRoot(options.root, options.group);
  const incarnation = crypto.randomUUID();
  await using cleanup = new AsyncDisposableStack();
  const journal = cleanup.use(await Journal.open(options.root, options.id, incarnation));
  const space = cleanup.use(await SpaceWatch.open(options.root, options.log));
  const storage = new Storage(options, incarnation, journal, space);
  await storage.open();
  cleanup.move();
  return storage;
}

export class Storage implements AsyncDisposable {
  readonly id: string;
  readonly group: string;
  readonly #options: StorageOptions;
  readonly #incarnation: string;
  readonly #journal: Journal;
  readonly #idServers: RpcPool;
  readonly #writes: FileWrites;
  readonly #space: SpaceWatch;
  #draining = false;
  #ports!: DataPorts;
  #beats!: Beats;
  #reaper!: Reaper;
  readonly #blobs: BlobStore;
  readonly #watched: WatchedFiles;

  /** Use startStorage. */
  constructor(options: StorageOptions, incarnation: string, journal: Journal, space: SpaceWatch) {
    this.id = options.id;
    this.group = options.group;
    this.#options = options;
    this.#incarnation = incarnation;
    this.#journal = journal;
    this.#space = space;
    const { group, catalog, secret, leaseIds } = options;
    const blobs = new BlobStore(options.root);
    this.#blobs = blobs;
    this.#idServers = new RpcPool({ endpoints: options.idServers, role: "storage", secret });
    const ids = new IdLease(
      { lease: (count) => this.#idServers.call("lease", { count }) },
      leaseIds,
    );
    this.#watched = new WatchedFiles(options);
    const committer = new Committer(journal, catalog, (user, fileId) => {
      this.forget(user, fileId);
      options.onChanged?.(user, fileId);
    });
    this.#writes = new FileWrites({ group, catalog, blobs, ids, committer });
  }

  get dataUrl(): string {
    return this.#ports.dataUrl;
  }

  get publicUrl(): string {
    return this.#ports.publicUrl;
  }

  get port(): number {
    return this.#ports.port;
  }

  /** Undefined where the public has no port of its own. */
  get publicPort(): number | undefined {
    return this.#ports.publicPort;
  }

  /** Requests on the data port, and on the public one, that are being answered. */
  get activeRequests(): number {
    return this.#ports.activeRequests;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Listens and begins to beat. @throws DsmError ADDRESS_IN_USE */
  async open(): Promise<void> {
    const { root, group, secret, catalog, trackers, log } = this.#options;
    this.#ports = await DataPorts.open(this.#options, {
      root,
      group,
      secret,
      writes: this.#writes,
      policy: servingPolicy(this.#options),
      watched: this.#watched,
      current: async (user, fileId) => (await catalog.current(user, fileId))?.file,
      admitWrite: (announcedBytes) => this.#admitWrite(announcedBytes),
    });
    this.#beats = new Beats({
      trackers,
      secret,
      log,
      state: () => this.#state(),
      onDrainWish: (draining) => void this.setDraining(draining),
    });
    this.#reaper = new Reaper({ ...this.#options, blobs: this.#blobs });
    await this.#beats.beatNow();
  }

  /** To be called before a change of a file that this process knows of is acknowledged. */
  forget(user: string, fileId: string): void {
    this.#watched.forget(user, fileId);
  }

  /** Takes no new requests from trackers while draining; says so to all of them at once. */
  async setDraining(draining: boolean): Promise<void> {
    if (this.#draining === draining) return;
    this.#draining = draining;
    this.#options.log.info({ storage: this.id, draining }, "draining changed");
    await this.#beats.beatNow();
  }

  /** Stops in order: named no longer, requests under way end, then everything is closed. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#beats.leave();
    await this.#ports.drain(drainTimeoutMs);
    await this.#close();
  }

  /** Stops at once, as if the process had died: nobody is told. */
  async kill(): Promise<void> {
    this.#beats.kill();
    this.#ports.kill();
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #close(): Promise<void> {
    await this.#reaper[Symbol.asyncDispose]();
    this.#idServers.close();
    this.#space[Symbol.dispose]();
    await this.#journal[Symbol.asyncDispose]();
  }

  async #state(): Promise<StorageState> {
    const { freeBytes, totalBytes } = await this.#space.refresh();
    return {
      storageId: this.id,
      group: this.group,
      dataUrl: this.dataUrl,
      publicUrl: this.publicUrl,
      freeBytes,
      totalBytes,
      full: freeBytes < this.#options.reserveBytes,
      activeRequests: this.activeRequests,
      draining: this.#draining,
      incarnation: this.#incarnation,
      softwareVersion,
    };
  }

  /** @throws DsmError DRAINING or STORAGE_FULL */
  #admitWrite(announcedBytes = 0): void {
    if (this.#draining) {
      throw new DsmError("DRAINING", `storage ${this.id} takes no new uploads, it is draining`, {
        remedy: "send it to another storage of the group",
      });
    }
    const { reserveBytes } = this.#options;
    const { freeBytes } = this.#space.now;
    if (freeBytes - announcedBytes >= reserveBytes) return;
    throw new DsmError(
      "STORAGE_FULL",
      `group ${this.group} has ${freeBytes} bytes free, keeps ${reserveBytes} in reserve, and ` +
        `the upload has ${announcedBytes}`,
      { remedy: "add space to the group file system or delete files" },
    );
  }
}
