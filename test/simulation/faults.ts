import type { Random } from "../chaos/random.ts";
import { askToDrain } from "./drains.ts";
import type { FaultKind } from "./figures.ts";
import type { Host } from "./host.ts";
import type { World } from "./world.ts";

/** A fault of the schedule of faults; those of single messages are the network's own. */
type Planned = Exclude<FaultKind, "message late" | "answer lost">;

const weights: Readonly<Record<Planned, number>> = {
  "tracker killed": 3,
  "storage killed": 5,
  "storage stopped in order": 3,
  "ID server killed": 1,
  "host without power": 2,
  "catalog down": 1,
  "hosts parted": 4,
  "host cut off": 2,
  "views split": 3,
  "connection broken": 5,
  "clock set": 1,
  "group full": 1,
  "drain asked": 3,
};

/** What a process has that can be killed and started again. */
interface Node {
  readonly host: Host;
  readonly life: unknown;
  start(): void;
  kill(): void;
}

/** Lets things go wrong, one after the other and at the same time, and mends them again. */
export class Faults {
  readonly #world: World;
  readonly #random: Random;
  /** What mends the faults that are in force. */
  readonly #cures = new Set<() => void>();

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.split("faults");
  }

  /** Faults come from now on until then; what they last may be longer. */
  begin(untilMs: number): void {
    const { schedule, setting } = this.#world;
    const delayMs = this.#random.fraction() * 2 * setting.faultEveryMs;
    if (schedule.nowMs + delayMs > untilMs) return;
    schedule.after(delayMs, () => {
      this.#strike(this.#random.weighted(weights));
      this.begin(untilMs);
    });
  }

  /** Everything is mended now. */
  end(): void {
    for (const cure of this.#cures) cure();
    this.#cures.clear();
    this.#world.network.isQuiet = true;
  }

  #strike(kind: Planned): void {
    const { trackers, storages, ids } = this.#world;
    const strikes: Readonly<Record<Planned, () => boolean>> = {
      "tracker killed": () => this.#kill(this.#random.pick(trackers)),
      "storage killed": () => this.#kill(this.#random.pick(storages)),
      "storage stopped in order": () => this.#stop(),
      "ID server killed": () => this.#kill(this.#random.pick(ids)),
      "host without power": () => this.#cutPower(),
      "catalog down": () => this.#stopCatalog(),
      "hosts parted": () => this.#part(),
      "host cut off": () => this.#cutOff(),
      "views split": () => this.#splitViews(),
      "connection broken": () => this.#break(),
      "clock set": () => this.#setClock(),
      "group full": () => this.#fill(),
      "drain asked": () => askToDrain(this.#world, this.#random),
    };
    if (!strikes[kind]()) return;
    this.#world.figures.count(kind);
  }

  /** @param deadMs how long it stays dead; any time, unless given */
  #kill(node: Node, deadMs = this.#anyTimeMs()): boolean {
    if (node.life === undefined) return false;
    this.#tell(`${node.host.name} is killed`);
    node.kill();
    this.#cureAfter(deadMs, () => {
      if (node.life === undefined && !node.host.isDown) node.start();
    });
    return true;
  }

  #stop(): boolean {
    const storage = this.#random.pick(this.#world.storages);
    if (storage.life === undefined) return false;
    this.#tell(`${storage.host.name} stops in order`);
    // It begins again when it has stopped, which takes as long as trackers do not answer.
    const begin = () => {
      if (storage.life === undefined && !storage.host.isDown) storage.start();
    };
    void storage.stop().then(() => this.#cureLater(begin));
    return true;
  }

  #cutPower(): boolean {
    const { trackers, storages, ids } = this.#world;
    const node: Node = this.#random.pick([...trackers, ...storages, ...ids]);
    const { host } = node;
    if (host.isDown) return false;
    this.#tell(`${host.name} is without power`);
    host.isDown = true;
    node.kill();
    this.#troubleOf(host);
    this.#cureLater(() => {
      host.isDown = false;
      this.#troubleOf(host);
      if (node.life === undefined) node.start();
    });
    return true;
  }

  #stopCatalog(): boolean {
    const { catalog, schedule } = this.#world;
    if (catalog.isDown) return false;
    this.#tell("the catalog is down");
    catalog.isDown = true;
    this.#cureLater(() => {
      catalog.isDown = false;
      catalog.downMs = schedule.nowMs;
    });
    return true;
  }

  #part(): boolean {
    const { hosts, catalog } = this.#world;
    const [a, b] = [this.#random.pick(hosts), this.#random.pick([...hosts, catalog.host])];
    if (a === b) return false;
    this.#partOne(a, b, this.#random.chance(0.3));
    return true;
  }

  #cutOff(): boolean {
    const { hosts, catalog } = this.#world;
    const host = this.#random.pick(hosts);
    const others = [...hosts, catalog.host].filter((other) => other !== host);
    const cures = others.map((other) => this.#partNow(host, other, false));
    this.#tell(`${host.name} is cut off`);
    this.#cureLater(() => {
      for (const cure of cures) cure();
    });
    return true;
  }

  /**
   * One tracker comes to see one storage of a group alone, and that is one that dies, or that a
   * client cannot reach.
   */
  #splitViews(): boolean {
    const { trackers, clients, storages, patienceMs, schedule } = this.#world;
    const seen = this.#random.pick(storages);
    const others = storages.filter((it) => it.group === seen.group && it !== seen);
    if (others.length === 0) return false;
    const [tracker, client] = [this.#random.pick(trackers), this.#random.pick(clients)];
    this.#tell(`${tracker.host.name} sees ${seen.host.name} of ${seen.group.name} alone`);
    for (const { host } of others) {
      this.#cureAfter(3 * patienceMs, this.#partNow(host, tracker.host, false));
    }
    schedule.after(1.2 * patienceMs, () => {
      if (this.#world.network.isQuiet) return;
      if (this.#random.chance(0.5)) this.#kill(seen, 2 * patienceMs);
      else this.#cureAfter(2 * patienceMs, this.#partNow(client.host, seen.host, false));
    });
    return true;
  }

  #partOne(a: Host, b: Host, isOneWay: boolean): void {
    this.#tell(`${a.name} ${isOneWay ? "cannot reach" : "is parted from"} ${b.name}`);
    this.#cureLater(this.#partNow(a, b, isOneWay));
  }

  /** @returns what joins them again */
  #partNow(a: Host, b: Host, isOneWay: boolean): () => void {
    const { network } = this.#world;
    network.part(a, b, isOneWay);
    return () => network.join(a, b, isOneWay);
  }

  #break(): boolean {
    const { connections } = this.#world.network;
    if (connections.size === 0) return false;
    const connection = this.#random.pick([...connections]);
    const [from, to] = [connection.client.host.name, connection.listener.life.host.name];
    this.#tell(`a connection of ${from} to ${to} breaks`);
    connection.break();
    return true;
  }

  /** By minutes, or by a moment; in either direction. It is set right again later. */
  #setClock(): boolean {
    const { trackers, storages, setting, schedule } = this.#world;
    const { host } = this.#random.pick<Node>([...trackers, ...trackers, ...storages]);
    const before = host.skewMs;
    const span = this.#random.pick([2_000, 20_000, 3_600_000]);
    host.skewMs = this.#random.between(-span, span);
    host.wasSet = true;
    this.#tell(`the clock of ${host.name} goes ${host.skewMs - before} ms`);
    const isWrong = span > setting.capabilityTtlMs / 2;
    // A right that a tracker gave meanwhile is good, or not, for so long.
    const noteWrong = () => {
      if (isWrong) this.#world.clocksWrongMs = schedule.nowMs + setting.capabilityTtlMs;
    };
    noteWrong();
    this.#cureLater(() => {
      host.skewMs = host.usualSkewMs;
      noteWrong();
    });
    return true;
  }

  #fill(): boolean {
    const group = this.#random.pick(this.#world.groups);
    if (group.isFull) return false;
    this.#tell(`group ${group.name} is full`);
    group.isFull = true;
    this.#cureLater(() => {
      group.isFull = false;
      group.fullMs = this.#world.schedule.nowMs;
    });
    return true;
  }

  #cureLater(cure: () => void): void {
    this.#cureAfter(this.#anyTimeMs(), cure);
  }

  #cureAfter(delayMs: number, cure: () => void): void {
    const { schedule, network } = this.#world;
    // Whatever strikes behind the end of all faults does no more.
    if (network.isQuiet) return cure();
    this.#cures.add(cure);
    schedule.after(delayMs, () => {
      if (this.#cures.delete(cure)) cure();
    });
  }

  /** A moment, or so long that trackers have noticed. */
  #anyTimeMs(): number {
    const { patienceMs } = this.#world;
    const longMs = this.#random.pick([200, 2_000, patienceMs, 3 * patienceMs]);
    return this.#random.fraction() * longMs;
  }

  #troubleOf(host: Host): void {
    const { hosts, catalog, network } = this.#world;
    for (const other of [...hosts, catalog.host]) network.noteTrouble(host, other);
  }

  #tell(what: string): void {
    this.#world.witness.trace(() => `FAULT ${what}`);
  }
}
