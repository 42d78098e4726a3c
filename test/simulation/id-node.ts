import { SegmentAllocator } from "@dsm/ids";
import { Host, Life } from "./host.ts";
import type { Network } from "./network.ts";
import { RpcServer } from "./rpc-server.ts";
import type { SimCatalog } from "./sim-catalog.ts";

/** An ID server on a host of its own: the real allocator, behind the simulated network. */
export class IdNode {
  readonly host: Host;
  readonly endpoint: string;
  readonly #network: Network;
  readonly #catalog: SimCatalog;
  readonly #segmentIds: number;
  #life: Life | undefined;

  constructor(name: string, network: Network, catalog: SimCatalog, segmentIds: number) {
    this.host = new Host(name, 0);
    this.endpoint = network.address(this.host, 7700);
    this.#network = network;
    this.#catalog = catalog;
    this.#segmentIds = segmentIds;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  start(): void {
    const life = new Life(this.#network.schedule, this.host);
    const allocator = new SegmentAllocator(this.#catalog.portOf(life), this.#segmentIds);
    const handlers = { lease: ({ count }: { count: number }) => allocator.lease(count) };
    this.#life = life;
    this.#network.listen(this.endpoint, new RpcServer(life, "id", handlers));
  }

  kill(): void {
    if (this.#life === undefined) return;
    this.#life.isOver = true;
    this.#network.ended(this.#life);
    this.#life = undefined;
  }
}
