import type { TestProcess } from "../process.ts";
import { Namespace } from "./namespace.ts";
import { runTool } from "./run-tool.ts";
import { slowCardOf, startSlowCard } from "./slow-card.ts";

const bridge = "br0";
/** The network card of every host. */
export const hostCard = "eth0";

/** One side of a cut or of a slow line: hosts, by name. */
type Side = readonly string[];

/** What the hosts of a box are plugged into. Frames between two of them can be lost or late. */
export class Switch implements AsyncDisposable {
  readonly #namespace: Namespace;
  /** `from to`, for each direction that is cut. */
  readonly #cuts = new Set<string>();
  /** By host and the host at the far end, in milliseconds. Each line stands with one of the two. */
  readonly #delays = new Map<string, Map<string, number>>();
  /** Of the hosts that are plugged in. */
  readonly #macs = new Map<string, string>();
  readonly #slowCards = new Map<string, TestProcess>();

  private constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  static async open(): Promise<Switch> {
    await using stack = new AsyncDisposableStack();
    const network = new Switch(stack.use(await Namespace.open()));
    // Without snooping multicast goes to every port, as VRRP has it without a querier.
    await network.#ip(["link", "add", "name", bridge, "type", "bridge", "mcast_snooping", "0"]);
    await network.#ip(["link", "set", "dev", bridge, "up"]);
    stack.move();
    return network;
  }

  /** @param pid a process of the host @param address IPv4, of a network of 256 addresses */
  async plugIn(host: string, pid: number, address: string): Promise<void> {
    // The same card as before it was off, so that nobody has a wrong address of it in mind.
    const mac = `02:00:${address.split(".").map(hexByte).join(":")}`;
    const card = ["peer", "name", hostCard, "address", mac, "netns", String(pid)];
    await this.#ip(["link", "add", "name", host, "type", "veth", ...card]);
    await this.#ip(["link", "set", "dev", host, "master", bridge, "up"]);
    const inside = ["nsenter", `--target=${pid}`, "--net", "--", "ip"];
    await runTool([...inside, "link", "set", "dev", "lo", "up"]);
    await runTool([...inside, "address", "add", `${address}/24`, "dev", hostCard]);
    await runTool([...inside, "link", "set", "dev", hostCard, "up"]);
    this.#macs.set(host, mac);
    await this.#applyDelays();
  }

  async unplug(host: string): Promise<void> {
    this.#macs.delete(host);
    await this.#stopSlowCard(host);
    await this.#ip(["link", "delete", "dev", host]);
  }

  /** Drops every frame between the two sides, in silence, as a broken cable does. */
  async cut(one: Side, other: Side): Promise<void> {
    for (const [from, to] of pairs(one, other)) this.#cuts.add(`${from} ${to}`);
    await this.#apply();
  }

  /** The same in one direction. */
  async cutOneWay(senders: Side, receivers: Side): Promise<void> {
    for (const from of senders) for (const to of receivers) this.#cuts.add(`${from} ${to}`);
    await this.#apply();
  }

  /**
   * Frames between the two sides take longer, in each direction, and keep their order; those for
   * everybody (ARP, multicast) do not. What is under way when this changes is lost.
   *
   * @param delayMs for one direction; a round trip takes twice as long
   */
  async slow(one: Side, other: Side, delayMs: number): Promise<void> {
    for (const a of one) {
      for (const b of other) {
        const [owner = a, far = b] = [a, b].toSorted();
        const lines = this.#delays.get(owner) ?? new Map<string, number>();
        this.#delays.set(owner, lines.set(far, delayMs));
      }
    }
    await this.#applyDelays();
  }

  /** Undoes cuts and delays between the two sides; all of them when none are named. */
  async heal(one?: Side, other?: Side): Promise<void> {
    if (one === undefined || other === undefined) {
      this.#cuts.clear();
      this.#delays.clear();
    } else {
      for (const [from, to] of pairs(one, other)) {
        this.#cuts.delete(`${from} ${to}`);
        this.#delays.get(from)?.delete(to);
      }
    }
    await this.#apply();
    await this.#applyDelays();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace[Symbol.asyncDispose]();
  }

  /** In one transaction, so that nothing slips through meanwhile. */
  async #apply(): Promise<void> {
    const rules = [...this.#cuts].map((cut) => {
      const [from = "", to = ""] = cut.split(" ");
      return `iifname ${portsOf(from)} oifname ${portsOf(to)} drop`;
    });
    const chain = ["type filter hook forward priority 0", ...rules].join("\n");
    const table = "table bridge cuts";
    const commands = [
      `${table} {}`,
      `delete ${table}`,
      `${table} {\nchain forward {\n${chain}\n}\n}`,
    ];
    await runTool([...this.#inside, "nft", "--file", "-"], `${commands.join("\n")}\n`);
  }

  async #applyDelays(): Promise<void> {
    for (const host of this.#macs.keys()) {
      await this.#stopSlowCard(host);
      const delays = new Map<string, number>();
      for (const [far, delayMs] of this.#delays.get(host) ?? []) {
        const mac = this.#macs.get(far);
        if (mac !== undefined) delays.set(mac, delayMs);
      }
      if (delays.size > 0) await this.#startSlowCard(host, delays);
    }
  }

  async #startSlowCard(host: string, delays: ReadonlyMap<string, number>): Promise<void> {
    await this.#ip(["link", "set", "dev", host, "nomaster"]);
    this.#slowCards.set(host, await startSlowCard(this.#namespace, host, delays));
    await this.#ip(["link", "set", "dev", slowCardOf(host), "master", bridge, "up"]);
  }

  async #stopSlowCard(host: string): Promise<void> {
    const slowCard = this.#slowCards.get(host);
    if (slowCard === undefined) return;
    this.#slowCards.delete(host);
    await slowCard.stop();
    await this.#ip(["link", "set", "dev", host, "master", bridge]);
  }

  async #ip(args: readonly string[]): Promise<void> {
    await runTool([...this.#inside, "ip", ...args]);
  }

  /** With the processes of the machine in sight: cards are moved by the ids of these. */
  get #inside(): string[] {
    return ["nsenter", `--target=${this.#namespace.pid}`, "--net", "--"];
  }
}

/** Both directions between each of the one and each of the other. */
function pairs(one: Side, other: Side): Array<[string, string]> {
  return one.flatMap((a) =>
    other.flatMap((b): Array<[string, string]> => [
      [a, b],
      [b, a],
    ]),
  );
}

/** A host's own port, and the one that stands in for it, as nft names them. */
function portsOf(host: string): string {
  return `{ "${host}", "${slowCardOf(host)}" }`;
}

function hexByte(decimal: string): string {
  return Number(decimal).toString(16).padStart(2, "0");
}
