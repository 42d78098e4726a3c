import { limits } from "@dsm/protocol";
import type { Fault } from "../fault.ts";
import { addressOf, type MySqlServer, type MySqlTarget } from "../target.ts";
import { MySqlConnections } from "./mysql-connections.ts";
import { silentFault } from "./mysql-fault.ts";
import { type NodeHealth, NodeProbe } from "./node-probe.ts";

/** One of several servers: how it is, and connections to it. */
export class MySqlNode {
  /** Resolves when it has answered once, or in all its time has not. */
  readonly known: Promise<void>;
  readonly #target: MySqlTarget;
  readonly #server: MySqlServer;
  readonly #onChange: () => void;
  readonly #probe: NodeProbe;
  #health: NodeHealth = { state: "unfit", fault: silentFault };
  #wellSinceMs = Infinity;
  #connections: MySqlConnections | undefined;
  #timer: Timer | undefined;
  #closed = false;

  /** @param onChange is called when it can be used, and when it cannot any more */
  constructor(target: MySqlTarget, server: MySqlServer, onChange: () => void) {
    this.#target = target;
    this.#server = server;
    this.#onChange = onChange;
    this.#probe = new NodeProbe(target, server);
    this.known = this.#ask();
  }

  get health(): NodeHealth {
    return this.#health;
  }

  /** For how long it has been well without a break; below 0 when it is not. */
  get wellForMs(): number {
    return performance.now() - this.#wellSinceMs;
  }

  /** Why it cannot be used; undefined when it can. */
  get reason(): { address: string; fault: Fault } | undefined {
    if (this.#health.state !== "unfit") return undefined;
    return { address: addressOf(this.#server), fault: this.#health.fault };
  }

  get connections(): MySqlConnections {
    this.#connections ??= new MySqlConnections(this.#target, this.#server);
    return this.#connections;
  }

  /** Nothing is sent there until it answers well again. What is under way there is given up. */
  lose(fault: Fault): void {
    this.#become({ state: "unfit", fault });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#probe.close();
    await this.#connections?.close();
  }

  async #ask(): Promise<void> {
    const health = await this.#probe.ask();
    if (this.#closed) {
      this.#probe.close();
      return;
    }
    this.#become(health);
    this.#timer = setTimeout(() => void this.#ask(), limits.catalogProbeMs);
    this.#timer.unref();
  }

  #become(health: NodeHealth): void {
    const before = this.#health.state;
    this.#health = health;
    if (health.state !== "well") this.#wellSinceMs = Infinity;
    else if (before !== "well") this.#wellSinceMs = performance.now();
    if (health.state === "unfit") {
      this.#connections?.abandon();
      this.#connections = undefined;
    }
    if (before !== health.state) this.#onChange();
  }
}
