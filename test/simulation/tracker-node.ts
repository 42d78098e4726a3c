import { silentLog } from "@dsm/log";
import type { ClusterSecret, RequestOf, ResponseOf, TrackerStatus } from "@dsm/protocol";
import { trackerHandlers } from "@dsm/tracker";
import { Host, Life } from "./host.ts";
import type { Lives } from "./lives.ts";
import type { Network } from "./network.ts";
import { RpcServer, type Said } from "./rpc-server.ts";
import type { Setting } from "./setting.ts";
import type { SimCatalog } from "./sim-catalog.ts";
import { Told } from "./told.ts";

export interface TrackerParts {
  readonly network: Network;
  readonly catalog: SimCatalog;
  readonly secret: ClusterSecret;
  readonly setting: Setting;
  readonly lives: Lives;
  readonly onStart: (tracker: TrackerNode) => void;
  /** Sees what any tracker gave as the group of a user. */
  readonly onGroup: (tracker: string, user: string, group: string) => void;
}

/** A tracker on a host of its own: the real handlers, behind the simulated network. */
export class TrackerNode {
  readonly host: Host;
  readonly endpoint: string;
  readonly #parts: TrackerParts;
  #life: Life | undefined;
  #server: RpcServer | undefined;
  #told: Told | undefined;

  constructor(name: string, skewMs: number, parts: TrackerParts) {
    this.host = new Host(name, skewMs);
    this.endpoint = parts.network.address(this.host, 7600);
    this.#parts = parts;
  }

  /** The process that runs now. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** Begins with an empty memory. */
  start(): void {
    const { network, catalog, secret, setting, lives, onGroup } = this.#parts;
    const life = new Life(network.schedule, this.host);
    const { clock } = life;
    const { heartbeatIntervalMs, missedBeats, capabilityTtlMs } = setting;
    const handlers = trackerHandlers({
      secret,
      catalog: catalog.portOf(life),
      heartbeatIntervalMs,
      missedBeats,
      capabilityTtlMs,
      log: silentLog,
      clock,
    });
    const patienceMs = heartbeatIntervalMs * missedBeats;
    const { schedule, witness, figures } = network;
    const tracker = this.host.name;
    const told = new Told({ tracker, patienceMs, schedule, lives, witness });
    const server = new RpcServer(life, "tracker", handlers, (name, request, said) => {
      if (name !== "status")
        witness.trace(() => `${tracker}: ${name} ${brief(request)} -> ${briefSaid(said)}`);
      told.watch(name, request, said);
      if (name !== "locate" || said.error !== undefined) return;
      figures.locates++;
      const { user } = request as RequestOf<"locate">;
      onGroup(tracker, user, (said.response as ResponseOf<"locate">).group);
    });
    this.#life = life;
    this.#server = server;
    this.#told = told;
    network.listen(this.endpoint, server);
    this.#parts.onStart(this);
  }

  kill(): void {
    if (this.#life === undefined) return;
    this.#life.isOver = true;
    this.#parts.network.ended(this.#life);
    this.#life = undefined;
    this.#server = undefined;
    this.#told = undefined;
  }

  /** An operator's wish, past the network. @returns whether it was taken */
  async drain(storageId: string, draining: boolean): Promise<boolean> {
    const said = await this.#server?.answer("drain", { storageId, draining }, "client");
    return said !== undefined && said.error === undefined;
  }

  /** Whether an operator's wish for this storage waits here to be obeyed. */
  isWishing(storageId: string): boolean {
    return this.#told?.isWishing(storageId) === true;
  }

  /** What it knows, past the network. */
  async status(): Promise<TrackerStatus | undefined> {
    const said = await this.#server?.answer("status", {}, "client");
    return said?.response as TrackerStatus | undefined;
  }

  /** A locate past the network; undefined when it fails. */
  async locate(request: RequestOf<"locate">): Promise<ResponseOf<"locate"> | undefined> {
    const said = await this.#server?.answer("locate", request, "client");
    return said?.response as ResponseOf<"locate"> | undefined;
  }
}

function brief(request: unknown): string {
  const { storageId, incarnation, draining, full, user, intent, fileId } = request as Partial<
    Record<string, unknown>
  >;
  return [storageId, incarnation, draining === true ? "draining" : draining, full && "full"]
    .concat([user, intent, fileId])
    .filter((it) => it !== undefined && it !== false)
    .join(" ");
}

function briefSaid({ error, response }: Said): string {
  if (error !== undefined) return `${error.code}: ${error.message}`;
  const { storages, group } = response as Partial<ResponseOf<"locate">>;
  if (storages === undefined) return JSON.stringify(response);
  return `${group}: ${storages.map(({ storageId }) => storageId).join(" ")}`;
}
