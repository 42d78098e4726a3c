import type { Random } from "../chaos/random.ts";
import type { Figures } from "./figures.ts";
import type { Host, Life } from "./host.ts";
import type { Schedule } from "./schedule.ts";
import type { Witness } from "./witness.ts";

/** From one host to another one, in this direction. */
interface Link {
  readonly delayMs: number;
  /** How many partitions stand between them. */
  cuts: number;
  /** What was sent meanwhile: TCP sends it again, for as long as it takes. */
  readonly held: Array<() => void>;
}

/** Whatever listens somewhere: the process that would take a connection. */
export interface Listener {
  readonly life: Life;
}

/** The order of what is sent one behind the other: nothing overtakes what was sent before it. */
export interface Lane {
  lastMs: number;
}

/** A connection that stands. */
interface Connection {
  readonly client: Life;
  readonly listener: Listener;
  /** Both sides lose it now, and all that is under way on it. */
  break(): void;
  /** The kernel of a listener that has ended says so, behind all that it had said before. */
  reset(): void;
}

export interface NetworkOptions {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly figures: Figures;
  readonly witness: Witness;
  /** Which part of all messages is lost at first, and comes when it was sent again. */
  readonly lateChance: number;
}

/** How late a message comes that was lost and sent again, at most. */
export const lateMaxMs = 3_000;

/**
 * What lies between the hosts: it takes time, a different one for each pair and each message, and
 * it can be parted, in one direction too. It knows since when a pair has had no trouble.
 */
export class Network {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly figures: Figures;
  readonly witness: Witness;
  readonly #lateChance: number;
  readonly #links = new Map<Host, Map<Host, Link>>();
  /** The moments up to which pairs of hosts had trouble. */
  readonly #troubledMs = new Map<string, number>();
  readonly #listeners = new Map<string, Listener>();
  readonly #hosts = new Map<string, Host>();
  readonly connections = new Set<Connection>();
  /** No message is late any more: faults have ended. */
  isQuiet = false;

  constructor(options: NetworkOptions) {
    this.schedule = options.schedule;
    this.random = options.random;
    this.figures = options.figures;
    this.witness = options.witness;
    this.#lateChance = options.lateChance;
  }

  /** @returns `host:port` of this host, whether or not something listens there yet */
  address(host: Host, port: number): string {
    const endpoint = `${host.name}:${port}`;
    this.#hosts.set(endpoint, host);
    return endpoint;
  }

  listen(endpoint: string, listener: Listener): void {
    this.#listeners.set(endpoint, listener);
  }

  /** @throws TypeError for an address that nobody has */
  hostOf(endpoint: string): Host {
    const host = this.#hosts.get(endpoint);
    if (host === undefined) throw new TypeError(`no host has the address ${endpoint}`);
    return host;
  }

  /** Undefined when the process that listened there has ended. */
  listenerAt(endpoint: string): Listener | undefined {
    const listener = this.#listeners.get(endpoint);
    return listener === undefined || listener.life.isOver ? undefined : listener;
  }

  /** Brings something from one host to another one. */
  bring(from: Host, to: Host, arrive: () => void, lane: Lane = { lastMs: 0 }): void {
    const link = this.#link(from, to);
    // Power is no cable: what is sent to a host that is off is gone.
    if (from.isDown || to.isDown) return;
    if (link.cuts > 0) {
      link.held.push(() => this.bring(from, to, arrive, lane));
      return;
    }
    const { nowMs } = this.schedule;
    lane.lastMs = Math.max(nowMs + this.#delayMs(from, to, link), lane.lastMs);
    this.schedule.after(lane.lastMs - nowMs, () => {
      if (!to.isDown) arrive();
    });
  }

  /** A process is over; a kernel that goes on tells those that are connected to it. */
  ended(life: Life): void {
    for (const connection of this.connections) {
      const isListener = connection.listener.life === life;
      if (isListener && !life.host.isDown) connection.reset();
      if (isListener || connection.client === life) this.connections.delete(connection);
    }
  }

  /** Between the two, in both directions or from the first to the second alone. */
  part(a: Host, b: Host, isOneWay: boolean): void {
    this.noteTrouble(a, b);
    this.#link(a, b).cuts++;
    if (!isOneWay) this.#link(b, a).cuts++;
  }

  /** Undoes one `part` of the same hosts and kind. */
  join(a: Host, b: Host, isOneWay: boolean): void {
    this.noteTrouble(a, b);
    this.#release(this.#link(a, b));
    if (!isOneWay) this.#release(this.#link(b, a));
  }

  noteTrouble(a: Host, b: Host, untilMs = this.schedule.nowMs): void {
    const pair = pairOf(a, b);
    this.#troubledMs.set(pair, Math.max(untilMs, this.#troubledMs.get(pair) ?? 0));
  }

  /** Whether all that was sent between them since then arrived soon, in both directions. */
  isFine(a: Host, b: Host, sinceMs: number): boolean {
    if (this.#link(a, b).cuts > 0 || this.#link(b, a).cuts > 0 || a.isDown || b.isDown)
      return false;
    return (this.#troubledMs.get(pairOf(a, b)) ?? -1) < sinceMs;
  }

  #delayMs(from: Host, to: Host, link: Link): number {
    const delayMs = link.delayMs * (1 + this.random.fraction());
    if (this.isQuiet || !this.random.chance(this.#lateChance)) return delayMs;
    this.figures.count("message late");
    const lateMs = this.random.between(200, lateMaxMs);
    this.noteTrouble(from, to, this.schedule.nowMs + delayMs + lateMs);
    return delayMs + lateMs;
  }

  #release(link: Link): void {
    link.cuts--;
    if (link.cuts > 0) return;
    for (const send of link.held.splice(0)) send();
  }

  #link(from: Host, to: Host): Link {
    let links = this.#links.get(from);
    if (links === undefined) this.#links.set(from, (links = new Map()));
    let link = links.get(to);
    if (link === undefined) {
      const delayMs = 0.1 + this.random.fraction() * 3;
      links.set(to, (link = { delayMs, cuts: 0, held: [] }));
    }
    return link;
  }
}

function pairOf(a: Host, b: Host): string {
  return a.name < b.name ? `${a.name} ${b.name}` : `${b.name} ${a.name}`;
}
