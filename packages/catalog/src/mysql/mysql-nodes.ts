import { limits } from "@dsm/protocol";
import type { QueryOptions } from "mysql2/promise";
import type { ReadOptions } from "../catalog.ts";
import { driverError } from "../fault.ts";
import type { Script } from "../script.ts";
import type { MySqlTarget } from "../target.ts";
import type { MySqlConnections, SnapshotConnection } from "./mysql-connections.ts";
import { explainMySql, NoServerError } from "./mysql-fault.ts";
import { MySqlNode } from "./mysql-node.ts";

/**
 * Several servers that keep one catalog, as the nodes of a Galera cluster do. All statements go to
 * one of them: the first of the URL that is well. All processes prefer the same one, for Galera
 * finds out at COMMIT alone that writers on different nodes were in each other's way, and lets one
 * of them do everything again; on one node the second just waits for the first. It is still right
 * when they do not agree for a while, as when a cable is cut: only slower.
 *
 * Every server is asked all the time how it is, so that it is known whom to go to when the one in
 * use is lost. A server that comes back is used again once it has been well for a while.
 */
export class MySqlNodes {
  readonly #nodes: readonly MySqlNode[];
  readonly #waiting = new Set<() => void>();
  #inUse: MySqlNode | undefined;
  /** Since when no server can be used; undefined while one can. */
  #noneSinceMs: number | undefined = -Infinity;

  private constructor(target: MySqlTarget) {
    const onChange = () => this.#onChange();
    this.#nodes = target.servers.map((server) => new MySqlNode(target, server, onChange));
  }

  /** Resolves when it is known whom to ask, or that there is nobody; statements then say so. */
  static async open(target: MySqlTarget): Promise<MySqlNodes> {
    const nodes = new MySqlNodes(target);
    for (const node of nodes.#nodes) {
      await node.known;
      if (node.health.state === "well") break;
    }
    return nodes;
  }

  query(options: QueryOptions, params: unknown[]): Promise<unknown> {
    return this.#on((connections) => connections.query(options, params));
  }

  execute(sql: string, params: unknown[], options?: ReadOptions): Promise<unknown[][]> {
    return this.#on((connections) => connections.execute(sql, params), options);
  }

  transaction<T>(script: Script<T>): Promise<T> {
    return this.#on((connections) => connections.transaction(script));
  }

  /** It stays with the server that it began on. */
  snapshot(): Promise<SnapshotConnection> {
    return this.#on((connections) => connections.snapshot());
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  /** On the next server, where the first turns out to be unfit: whatever it did may be repeated. */
  async #on<T>(
    work: (connections: MySqlConnections) => Promise<T>,
    { mayWait = true }: ReadOptions = {},
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      const node = await this.#usable(mayWait);
      try {
        return await work(node.connections);
      } catch (error) {
        const fault = explainMySql(driverError(error));
        if (fault?.elsewhere !== true || error instanceof NoServerError) throw error;
        node.lose(fault);
        if (tries > this.#nodes.length) throw error;
      }
    }
  }

  /** @throws NoServerError at once, unless the last one was lost just now and that may change */
  async #usable(mayWait: boolean): Promise<MySqlNode> {
    for (;;) {
      this.#inUse = this.#choose();
      if (this.#inUse !== undefined) return this.#inUse;
      // When one node of a cluster is lost, the others need a moment to agree on that.
      const leftMs = (this.#noneSinceMs ?? -Infinity) + limits.catalogSwitchMs - performance.now();
      if (leftMs <= 0 || !mayWait)
        throw new NoServerError(this.#nodes.flatMap((node) => node.reason ?? []));
      await this.#change(leftMs);
    }
  }

  #choose(): MySqlNode | undefined {
    const well = this.#nodes.filter((node) => node.health.state === "well");
    const current = this.#inUse;
    if (current === undefined || !well.includes(current)) {
      return well[0] ?? this.#nodes.find((node) => node.health.state === "behind");
    }
    // Those behind it are not better.
    return well.find((node) => node === current || node.wellForMs >= limits.catalogReturnMs);
  }

  #onChange(): void {
    const isUsable = this.#nodes.some((node) => node.health.state !== "unfit");
    this.#noneSinceMs = isUsable ? undefined : (this.#noneSinceMs ?? performance.now());
    if (!isUsable) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #change(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }
}
