import { servingPolicy, StopNotice } from "@dsm/delivery";
import { limits, softwareVersion, type StorageState } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { assertTakesWrites } from "./admission.ts";
import { Beats } from "./beats.ts";
import { CommitPath, type DurableParts } from "./commit-path.ts";
import { DataPorts } from "./data-ports.ts";
import { FileWrites } from "./file-writes.ts";
import { fsck } from "./fsck/fsck.ts";
import { IdLease } from "./id-lease.ts";
import { Maintenance } from "./maintenance-app.ts";
import { StorageMetrics } from "./metrics.ts";
import { MoveService } from "./move/move-service.ts";
import { Reapers } from "./reapers.ts";
import { ScrubService } from "./scrub/scrub-service.ts";
import type { PeerWatch } from "./peers/peer-watch.ts";
import { rootJob } from "./peers/root-job.ts";
import type { RootWatch } from "./root-watch.ts";
import type { SpaceWatch } from "./space.ts";
import type { StorageOptions } from "./storage-options.ts";
import { TrashBin } from "./trash-bin.ts";
import { WatchedFiles } from "./watched-files.ts";

/** How long `drain` waits for requests that are under way. */
const drainTimeoutMs = 30_000;

/** What holds on to the root of the group. */
interface OpenedRoot {
  readonly durable: DurableParts;
  readonly space: SpaceWatch;
  readonly mount: RootWatch;
  readonly peers: PeerWatch;
}

export class Storage implements AsyncDisposable {
  readonly id: string;
  readonly group: string;
  readonly #options: StorageOptions;
  readonly #incarnation: string;
  readonly #idServers: RpcPool;
  readonly #writes: FileWrites;
  readonly #opened: OpenedRoot;
  readonly #commits: CommitPath;
  readonly #maintenance: Maintenance;
  readonly #scrub: ScrubService;
  readonly #metrics: StorageMetrics;
  readonly #stopping: StopNotice;
  #draining = false;
  #ports!: DataPorts;
  #beats!: Beats;
  readonly #reapers: Reapers;
  readonly #mover: MoveService;
  readonly #trash: TrashBin;
  readonly #watched: WatchedFiles;

  /** Use startStorage. */
  constructor(options: StorageOptions, incarnation: string, opened: OpenedRoot) {
    const assertMounted = () => opened.mount.look();
    this.id = options.id;
    this.group = options.group;
    this.#options = options;
    this.#stopping = new StopNotice(options);
    this.#incarnation = incarnation;
    this.#opened = opened;
    const { group, catalog, secret, leaseIds, root, sync } = options;
    this.#commits = new CommitPath({
      ...options,
      incarnation,
      durable: opened.durable,
      assertMounted,
      onChanged: (user, fileId) => {
        this.forget(user, fileId);
        options.onChanged?.(user, fileId);
      },
      // The trackers hear of it at once.
      onHealth: () => void this.#beats?.beatNow(),
    });
    const { blobs, committer, health } = this.#commits;
    this.#idServers = new RpcPool({ endpoints: options.idServers, role: "storage", secret });
    const ids = new IdLease(
      { lease: (count) => this.#idServers.call("lease", { count }) },
      leaseIds,
    );
    this.#watched = new WatchedFiles(options);
    const onFault = (error: unknown) => health.note(error);
    this.#metrics = new StorageMetrics(() => this.#scrub.marks.count);
    this.#scrub = new ScrubService({
      // Without terms there is no scrub but the one that an operator asks for.
      scrubBytesPerSecond: 0,
      scrubIntervalMs: Infinity,
      ...options,
      assertMounted,
      incarnation,
      isBusy: () => this.activeRequests > limits.scrubBusyRequests,
      onCounts: (counts) => this.#metrics.onScrubbed(counts),
    });
    this.#maintenance = new Maintenance({
      group,
      secret,
      jobs: {
        fsck: (params, signal) => fsck(this.#upkeep, params, signal),
        scrub: (params, signal) => this.#scrub.job(params, signal),
        root: (params) => rootJob({ root, sync, assertMounted }, params),
      },
      onFault: (err) => options.log.warn({ err }, "maintenance: a job failed"),
    });
    this.#writes = new FileWrites({ group, catalog, blobs, ids, committer, onFault });
    const { commits } = this.#writes;
    this.#trash = new TrashBin({ ...options, blobs, ids, commits, onFault });
    this.#reapers = new Reapers({
      ...options,
      incarnation,
      assertMounted,
      blobs,
      ids,
      committer,
      upkeep: this.#upkeep,
      metrics: this.#metrics,
      isBusy: () => this.#othersNeedTheDisk,
    });
    this.#mover = new MoveService({
      ...options,
      assertMounted,
      incarnation,
      blobs,
      ids,
      committer,
      onFault,
      pollMs: options.movePollMs,
      admit: (sizeBytes) => this.#admitWrite(sizeBytes),
      mayWrite: () => !this.#draining && !health.isFailing,
      isBusy: () => this.activeRequests > limits.scrubBusyRequests,
      onCounts: (counts) => this.#metrics.onMoved(counts),
    });
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

  /** What jobs over the whole group work with. */
  get #upkeep() {
    const { root, group, catalog, orphanAgeMs, settlingMaxMs } = this.#options;
    const { blobs, journal } = this.#commits;
    const { marks } = this.#scrub;
    return { root, group, catalog, blobs, journal, marks, orphanAgeMs, settlingMaxMs };
  }

  /** Undefined where the public has no port of its own. */
  get publicPort(): number | undefined {
    return this.#ports.publicPort;
  }

  /** Requests on the data port, and on the public one, that are being answered. */
  get activeRequests(): number {
    return this.#ports.activeRequests;
  }

  /** Where space runs short, nothing is more urgent than to free some. */
  get #othersNeedTheDisk(): boolean {
    const isShort = this.#opened.space.now.freeBytes < 2 * this.#options.reserveBytes;
    return !isShort && this.activeRequests > limits.reapBusyRequests;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Listens and begins to beat. @throws DsmError ADDRESS_IN_USE */
  async open(): Promise<void> {
    const { root, group, secret, catalog, trackers, log } = this.#options;
    // Known before the first read comes.
    await this.#scrub.marks.look();
    this.#ports = await DataPorts.open(this.#options, {
      root,
      group,
      secret,
      writes: this.#writes,
      policy: servingPolicy(this.#options),
      maintenance: this.#maintenance,
      metrics: this.#metrics,
      metricsKey: this.#options.metricsKey,
      marks: this.#scrub.marks,
      mount: this.#opened.mount,
      stopping: this.#stopping,
      watched: this.#watched,
      current: async (user, fileId) => (await catalog.current(user, fileId))?.file,
      trash: this.#trash,
      admitWrite: (announcedBytes) => this.#admitWrite(announcedBytes),
    });
    this.#beats = new Beats({
      trackers,
      secret,
      log,
      state: () => this.#state(),
      onDrainWish: (draining) => void this.setDraining(draining),
    });
    await this.#beats.beatNow();
    this.#commits.start();
    this.#scrub.start();
    this.#mover.start();
    // Of the workers of one storage the one that beats reaps for all.
    if (trackers.length > 0) this.#reapers.start();
  }

  /** To be called before a change of a file that this process knows of is acknowledged. */
  forget(user: string, fileId: string): void {
    this.#watched.forget(user, fileId);
  }

  /** To be told of what its disk has failed with. */
  noteFault(error: unknown): void {
    this.#commits.health.note(error);
  }

  /** Takes no new requests from trackers while draining; says so to all of them at once. */
  async setDraining(draining: boolean): Promise<void> {
    if (this.#draining === draining) return;
    this.#draining = draining;
    this.#options.log.info({ storage: this.id, draining }, "draining changed");
    await this.#beats.beatNow();
  }

  /** Stops in order: named no longer, then asked no longer, what is under way ends, all closes. */
  async drain(): Promise<void> {
    await Promise.all([this.#beats.leave(), this.#stopping.give()]);
    this.#draining = true;
    this.#maintenance.stop();
    await Promise.all([this.#mover[Symbol.asyncDispose](), this.#ports.drain(drainTimeoutMs)]);
    await this.#commits.endInOrder(drainTimeoutMs);
    await this.#close();
  }

  /** Stops at once, as if the process had died: nobody is told. */
  async kill(): Promise<void> {
    this.#beats.kill();
    this.#maintenance.stop();
    this.#ports.kill();
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #close(): Promise<void> {
    await this.#scrub[Symbol.asyncDispose]();
    await this.#mover[Symbol.asyncDispose]();
    await this.#reapers[Symbol.asyncDispose]();
    this.#idServers.close();
    const { space, mount, peers } = this.#opened;
    for (const watch of [space, mount, peers]) watch[Symbol.dispose]();
    await this.#commits[Symbol.asyncDispose]();
  }

  async #state(): Promise<StorageState> {
    const space = await this.#opened.space.soon();
    const { reserveBytes } = this.#options;
    return {
      storageId: this.id,
      group: this.group,
      dataUrl: this.dataUrl,
      publicUrl: this.publicUrl,
      ...space,
      full: this.#commits.health.isFull || space.freeBytes < reserveBytes,
      reserveBytes,
      failing: this.#commits.health.isFailing,
      activeRequests: this.activeRequests,
      movesHeldUp: this.#mover.heldUp,
      draining: this.#draining,
      digestAtEnd: true,
      incarnation: this.#incarnation,
      softwareVersion,
    };
  }

  #admitWrite(announcedBytes?: number): void {
    const { freeBytes } = this.#opened.space.now;
    const state = { ...this.#options, draining: this.#draining, freeBytes };
    assertTakesWrites({ ...state, health: this.#commits.health }, announcedBytes);
  }
}
