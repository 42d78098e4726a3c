import { silentLog } from "@dsm/log";
import { type BlobId, type ClusterSecret, softwareVersion, type StorageState } from "@dsm/protocol";
import { RpcPool } from "@dsm/rpc";
import { Beats, IdLease } from "@dsm/storage";
import type { Random } from "../chaos/random.ts";
import { DataPort } from "./data-port.ts";
import type { Group } from "./group.ts";
import { Host, Life } from "./host.ts";
import type { Lives } from "./lives.ts";
import type { Network } from "./network.ts";
import type { Setting } from "./setting.ts";
import type { SimCatalog } from "./sim-catalog.ts";
import { simDial } from "./sim-asker.ts";

export interface StorageParts {
  readonly network: Network;
  readonly catalog: SimCatalog;
  readonly secret: ClusterSecret;
  readonly setting: Setting;
  readonly lives: Lives;
  readonly group: Group;
  readonly trackers: readonly string[];
  readonly idServers: readonly string[];
  readonly random: Random;
  /** Sees each id that any storage takes. */
  readonly onId: (storage: string, id: BlobId) => void;
}

interface Running {
  readonly life: Life;
  readonly incarnation: string;
  readonly beats: Beats;
}

/**
 * A storage on a host of its own: the real beats and the real lease of ids, behind the simulated
 * network, and a data port of the simulation.
 */
export class StorageNode {
  readonly host: Host;
  readonly group: Group;
  readonly endpoint: string;
  /** When somebody last asked or told it to drain, or to end that. */
  drainTouchedMs = -1;
  /** When an operator last had a wish for it. */
  wishedMs = -1;
  /** It has begun to stop in order. */
  isStopping = false;
  readonly #parts: StorageParts;
  #running: Running | undefined;
  #isDraining = false;

  constructor(name: string, skewMs: number, parts: StorageParts) {
    this.host = new Host(name, skewMs);
    this.group = parts.group;
    this.endpoint = parts.network.address(this.host, 7800);
    this.#parts = parts;
  }

  get life(): Life | undefined {
    return this.#running?.life;
  }

  get incarnation(): string | undefined {
    return this.#running?.incarnation;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  start(): void {
    const { network, catalog, secret, setting, lives, trackers, idServers, random } = this.#parts;
    const life = new Life(network.schedule, this.host);
    const dial = simDial(network, life);
    const { clock } = life;
    this.#isDraining = false;
    this.isStopping = false;
    const pool = new RpcPool({ endpoints: idServers, role: "storage", secret, dial, clock });
    const lease = { lease: (count: number) => pool.call("lease", { count }) };
    const ids = new IdLease(lease, setting.leaseIds);
    const incarnation = lives.begin(this.host.name, clock.now(), random);
    const port = new DataPort({
      life,
      group: this.group,
      secret,
      catalog: catalog.portOf(life),
      nextId: async () => {
        const id = await ids.next();
        this.#parts.onId(this.host.name, id);
        return id;
      },
      isDraining: () => this.#isDraining,
    });
    const beats = new Beats({
      trackers,
      secret,
      dial,
      clock,
      log: silentLog,
      state: () => this.#state(life, incarnation, port),
      onDrainWish: (draining) => this.#drain(draining),
    });
    this.#running = { life, incarnation, beats };
    network.listen(this.endpoint, port);
    network.witness.trace(() => `${this.host.name}: begins life ${lives.numberOf(incarnation)}`);
  }

  kill(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.life.isOver = true;
    this.#parts.network.ended(running.life);
  }

  /** Stops in order: trackers are told first. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#isDraining = true;
    this.isStopping = true;
    await running.beats.leave();
    if (this.#running === running) this.kill();
  }

  #drain(draining: boolean): void {
    if (this.#isDraining === draining) return;
    this.#isDraining = draining;
    this.drainTouchedMs = this.#parts.network.schedule.nowMs;
    void this.#running?.beats.beatNow();
  }

  async #state(life: Life, incarnation: string, port: DataPort): Promise<StorageState> {
    const { random } = this.#parts;
    // The file system may take a moment to say how much room there is.
    if (random.chance(0.05)) await life.pause(random.between(1, 50));
    const { name, freeBytes, totalBytes, isFull } = this.group;
    const url = `http://${this.endpoint}`;
    return {
      storageId: this.host.name,
      group: name,
      dataUrl: url,
      publicUrl: url,
      freeBytes,
      totalBytes,
      full: isFull,
      activeRequests: port.activeRequests,
      draining: this.#isDraining,
      incarnation,
      softwareVersion,
    };
  }
}
