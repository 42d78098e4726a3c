import { type BlobId, clusterSecret } from "@dsm/protocol";
import type { Random } from "../chaos/random.ts";
import { ClientNode, type FailedOperation } from "./client-node.ts";
import type { Figures } from "./figures.ts";
import { Group } from "./group.ts";
import { Host } from "./host.ts";
import { IdNode } from "./id-node.ts";
import { Lives } from "./lives.ts";
import { Network } from "./network.ts";
import type { Schedule } from "./schedule.ts";
import type { Setting } from "./setting.ts";
import { SimCatalog } from "./sim-catalog.ts";
import { StorageNode } from "./storage-node.ts";
import { TrackerNode } from "./tracker-node.ts";
import type { Witness } from "./witness.ts";

const secret = "simulated".repeat(4);

/** How far the clocks of hosts are from the right time at first. */
const skewMaxMs = 5_000;

export interface WorldParts {
  readonly setting: Setting;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly witness: Witness;
  readonly figures: Figures;
  /** Is asked of each operation of a client that failed. */
  readonly judge: (world: World, by: ClientNode, failed: FailedOperation) => void;
}

/** A whole cluster, its clients, and what lies between them. */
export class World {
  readonly setting: Setting;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly witness: Witness;
  readonly figures: Figures;
  readonly network: Network;
  readonly catalog: SimCatalog;
  readonly lives = new Lives();
  readonly groups: readonly Group[];
  readonly trackers: readonly TrackerNode[];
  readonly ids: readonly IdNode[];
  readonly storages: readonly StorageNode[];
  readonly clients: readonly ClientNode[];
  /** Up to when a clock that was wrong may cost a client its right. */
  clocksWrongMs = -1;
  /** Told of each tracker that starts. */
  onTrackerStart: (tracker: TrackerNode) => void = () => {};
  readonly #judge: WorldParts["judge"];
  readonly #groupsGiven = new Map<string, string>();
  readonly #idsTaken = new Set<BlobId>();

  constructor(outside: WorldParts) {
    const { setting, schedule, random, witness, figures, judge } = outside;
    this.setting = setting;
    this.#judge = judge;
    this.schedule = schedule;
    this.random = random;
    this.witness = witness;
    this.figures = figures;
    this.network = new Network({
      ...outside,
      random: random.split("network"),
      lateChance: setting.lateChance,
    });
    this.catalog = new SimCatalog(this.network, new Host("catalog", 0));
    this.groups = numbered("g", setting.groups, (name) => new Group(name, random.between(1, 999)));
    this.trackers = numbered("tracker", setting.trackers, (name) => this.#tracker(name));
    this.ids = numbered("id", setting.idServers, (name) => {
      return new IdNode(name, this.network, this.catalog, setting.segmentIds);
    });
    const storages = setting.groups * setting.storagesPerGroup;
    this.storages = numbered("s", storages, (name, index) => this.#storage(name, index));
    this.clients = numbered("c", setting.clients, (name) => this.#client(name));
  }

  /** All hosts of processes; that of the catalog aside. */
  get hosts(): Host[] {
    const nodes = [this.trackers, this.ids, this.storages, this.clients];
    return nodes.flatMap((of) => of.map(({ host }) => host));
  }

  /** The longest that a tracker waits for a beat before it takes a storage for dead. */
  get patienceMs(): number {
    return this.setting.heartbeatIntervalMs * this.setting.missedBeats;
  }

  /** Everything begins within a second, in any order. */
  start(): void {
    const soon = (run: () => void) => this.schedule.after(this.random.between(0, 1_000), run);
    for (const node of [...this.trackers, ...this.ids, ...this.storages]) {
      soon(() => {
        if (node.life === undefined) node.start();
      });
    }
    for (const client of this.clients) {
      soon(() => {
        client.run().catch((thrown) => this.witness.accuse(`${client.host.name}: ${thrown}`));
      });
    }
  }

  #tracker(name: string): TrackerNode {
    const { network, catalog, setting, lives } = this;
    return new TrackerNode(name, this.#skewMs(), {
      network,
      catalog,
      setting,
      lives,
      secret: clusterSecret(secret),
      onStart: (tracker) => this.onTrackerStart(tracker),
      onGroup: (tracker, user, group) => this.#groupGiven(tracker, user, group),
    });
  }

  #storage(name: string, index: number): StorageNode {
    const { network, catalog, setting, lives, groups, trackers, ids, random } = this;
    return new StorageNode(name, this.#skewMs(), {
      network,
      catalog,
      setting,
      lives,
      secret: clusterSecret(secret),
      group: groups[index % groups.length]!,
      trackers: trackers.map(({ endpoint }) => endpoint),
      idServers: ids.map(({ endpoint }) => endpoint),
      random: random.split(name),
      onId: (storage, id) => this.#idTaken(storage, id),
    });
  }

  #client(name: string): ClientNode {
    const { network, setting, trackers, random } = this;
    return new ClientNode(name, this.#skewMs(), {
      network,
      secret,
      setting,
      trackers: trackers.map(({ endpoint }) => endpoint),
      random: random.split(name),
      judge: (by, failed) => this.#judge(this, by, failed),
    });
  }

  #skewMs(): number {
    return this.random.between(-skewMaxMs, skewMaxMs);
  }

  #groupGiven(tracker: string, user: string, group: string): void {
    const before = this.#groupsGiven.get(user);
    this.#groupsGiven.set(user, group);
    if (before === undefined || before === group) return;
    this.witness.accuse(`${tracker} gives ${user} the group ${group}, who was given ${before}`);
  }

  #idTaken(storage: string, id: BlobId): void {
    this.figures.leasedIds++;
    if (this.#idsTaken.has(id)) this.witness.accuse(`${storage} takes the id ${id} once more`);
    this.#idsTaken.add(id);
  }
}

function numbered<T>(prefix: string, count: number, make: (name: string, index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(`${prefix}${index + 1}`, index));
}
