import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { DsmClient } from "@dsm/client";
import {
  type Deliveries,
  type DeliveryMode,
  type Gateway,
  type ReadsMode,
  startGateway,
} from "@dsm/gateway";
import { startIdServer } from "@dsm/ids";
import { type Log, silentLog } from "@dsm/log";
import {
  type ClusterSecret,
  clusterSecret,
  DsmError,
  type LinkKey,
  systemErrorCode,
} from "@dsm/protocol";
import { startStorage, type Storage, type SyncMode } from "@dsm/storage";
import { startTracker } from "@dsm/tracker";
import { defaults } from "./defaults.ts";
import { EndpointMember } from "./endpoint-member.ts";
import { Member } from "./member.ts";

export interface ClusterOptions {
  /** Holds the groups' file systems and, unless `catalogUrl` says otherwise, the catalog. */
  readonly dataDir: string;
  /** Where the gateway listens; any free port of 127.0.0.1 unless given. */
  readonly http?: { readonly hostname: string; readonly port: number };
  readonly trackers?: number;
  readonly ids?: number;
  readonly groups?: number;
  /** Storages of each group. */
  readonly storages?: number;
  readonly catalogUrl?: string;
  /** Made anew unless given. */
  readonly secret?: string;
  /** PEM files for TLS on the gateway; both or none. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly http3?: boolean;
  readonly delivery?: DeliveryMode | Deliveries;
  readonly redirectTtlMs?: number;
  readonly writeKey?: string;
  /** Who may read; everybody unless given. */
  readonly reads?: ReadsMode;
  /** Keys of signed links, the one that signs first; none unless given. */
  readonly linkKeys?: readonly LinkKey[];
  /** Of media, from the gateway and the storages; the options of their configuration. */
  readonly cacheControl?: string;
  readonly vary?: readonly string[];
  /** Origins whose pages may use the gateway; `*` unless given. */
  readonly corsOrigins?: readonly string[];
  readonly heartbeatIntervalMs?: number;
  readonly freshnessMs?: number;
  readonly hotCacheBytes?: number;
  readonly trashGraceMs?: number;
  readonly reapIntervalMs?: number;
  readonly reapPerSecond?: number;
  readonly reserveBytes?: number;
  readonly scrubBytesPerSecond?: number;
  readonly scrubIntervalMs?: number;
  readonly moveBytesPerSecond?: number;
  readonly movePollMs?: number;
  readonly sync?: SyncMode;
  readonly commitGroupMax?: number;
  readonly doubtSettleMs?: number;
  readonly orphanAgeMs?: number;
  readonly orphanLookMs?: number;
  readonly log?: Log;
}

const loopback = "127.0.0.1";

/**
 * All roles in this process, over real sockets and files: `dsm up` and the tests use the same.
 * @throws DsmError with the first member that could not start; those before it are stopped again
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = resolve(options.dataDir);
  await makeDataDir(dataDir);
  const catalogUrl = options.catalogUrl ?? `sqlite:${join(dataDir, "catalog.db")}`;
  await migrateCatalog(catalogUrl);
  await using cleanup = new AsyncDisposableStack();
  const catalog = cleanup.use(await openCatalog(catalogUrl));
  const cluster = cleanup.use(new Cluster({ ...options, dataDir }, catalog));
  await cluster.start();
  cleanup.move();
  return cluster;
}

export class Cluster implements AsyncDisposable {
  readonly secret: string;
  readonly catalog: Catalog;
  readonly trackers: readonly EndpointMember[];
  readonly ids: readonly EndpointMember[];
  readonly storages: ReadonlyArray<Member<Storage>>;
  readonly gateway: Member<Gateway>;
  readonly #options: ClusterOptions;
  readonly #proof: ClusterSecret;
  readonly #log: Log;

  /** Use startCluster. */
  constructor(options: ClusterOptions, catalog: Catalog) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.catalog = catalog;
    this.secret = options.secret ?? makeSecret();
    this.#proof = clusterSecret(this.secret);
    this.trackers = numbered("tracker", options.trackers ?? defaults.trackers).map((name) =>
      this.#tracker(name),
    );
    this.ids = numbered("id", options.ids ?? defaults.ids).map((name) => this.#idServer(name));
    this.storages = this.groupNames.flatMap((group) =>
      numbered(`${group}-s`, options.storages ?? defaults.storages).map((id) =>
        this.#storage(id, group),
      ),
    );
    this.gateway = this.#gateway();
  }

  /** Where the gateway is, as `http://host:port`, or `https://` with TLS. */
  get http(): string {
    return this.gateway.running.url;
  }

  get trackerEndpoints(): string[] {
    return this.trackers.map((tracker) => tracker.endpoint);
  }

  get groupNames(): string[] {
    return numbered("g", this.#options.groups ?? defaults.groups);
  }

  groupRoot(group: string): string {
    return join(this.#options.dataDir, "groups", group);
  }

  /** A client of this cluster; its owner closes it. */
  client(): DsmClient {
    return new DsmClient({ trackers: this.trackerEndpoints, secret: this.secret });
  }

  /** In the order in which each finds those that it needs. */
  async start(): Promise<void> {
    for (const member of [...this.trackers, ...this.ids]) await member.start();
    await Promise.all(this.storages.map((storage) => storage.start()));
    await this.gateway.start();
  }

  /** Stops in order, so that nothing under way is lost: first those that take requests. */
  async drain(): Promise<void> {
    await this.gateway.drain();
    await Promise.all(this.storages.map((storage) => storage.drain()));
    await Promise.all([...this.trackers, ...this.ids].map((member) => member.drain()));
    await this.catalog.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #tracker(name: string) {
    const { heartbeatIntervalMs = defaults.heartbeatIntervalMs } = this.#options;
    const { missedBeats, capabilityTtlMs } = defaults;
    return new EndpointMember(name, (port) =>
      startTracker({
        hostname: loopback,
        port,
        secret: this.#proof,
        catalog: this.catalog,
        heartbeatIntervalMs,
        missedBeats,
        capabilityTtlMs,
        log: this.#log.child({ member: name }),
      }),
    );
  }

  #idServer(name: string) {
    const { segmentIds } = defaults;
    return new EndpointMember(name, (port) =>
      startIdServer({
        hostname: loopback,
        port,
        secret: this.#proof,
        catalog: this.catalog,
        segmentIds,
        log: this.#log.child({ member: name }),
      }),
    );
  }

  #storage(id: string, group: string) {
    const { leaseIds } = defaults;
    const { trashGraceMs = defaults.trashGraceMs, reserveBytes = defaults.reserveBytes } =
      this.#options;
    const { reapIntervalMs = defaults.reapIntervalMs } = this.#options;
    const { reapPerSecond, sync, commitGroupMax, doubtSettleMs, orphanAgeMs, orphanLookMs } =
      this.#options;
    return new Member(id, 0, (port) =>
      startStorage({
        id,
        group,
        root: this.groupRoot(group),
        hostname: loopback,
        port,
        trackers: this.trackerEndpoints,
        idServers: this.ids.map((server) => server.endpoint),
        secret: this.#proof,
        catalog: this.catalog,
        leaseIds,
        reserveBytes,
        trashGraceMs,
        reapIntervalMs,
        scrubBytesPerSecond: this.#options.scrubBytesPerSecond ?? defaults.scrubBytesPerSecond,
        scrubIntervalMs: this.#options.scrubIntervalMs ?? defaults.scrubIntervalMs,
        moveBytesPerSecond: this.#options.moveBytesPerSecond,
        movePollMs: this.#options.movePollMs,
        ...(reapPerSecond === undefined ? {} : { reapPerSecond }),
        ...(sync === undefined ? {} : { sync }),
        ...(commitGroupMax === undefined ? {} : { commitGroupMax }),
        ...(doubtSettleMs === undefined ? {} : { doubtSettleMs }),
        ...(orphanAgeMs === undefined ? {} : { orphanAgeMs }),
        ...(orphanLookMs === undefined ? {} : { orphanLookMs }),
        ...this.#policy(),
        // One process: whoever reads here must see at once what was written here.
        onChanged: (user, fileId) => {
          for (const member of [this.gateway, ...this.storages]) {
            if (member.isRunning) member.running.forget(user, fileId);
          }
        },
        log: this.#log.child({ member: id }),
      }),
    );
  }

  #policy() {
    const { cacheControl, vary } = this.#options;
    return {
      ...(cacheControl === undefined ? {} : { cacheControl }),
      ...(vary === undefined ? {} : { vary }),
    };
  }

  #gateway() {
    const { http = { hostname: loopback, port: 0 }, delivery = defaults.delivery } = this.#options;
    return new Member("gateway", http.port, (port) =>
      startGateway({
        hostname: http.hostname,
        port,
        tlsCert: this.#options.tlsCert,
        tlsKey: this.#options.tlsKey,
        http3: this.#options.http3 ?? false,
        trackers: this.trackerEndpoints,
        secret: this.secret,
        delivery,
        redirectTtlMs: this.#options.redirectTtlMs,
        mounts: new Map(this.groupNames.map((group) => [group, this.groupRoot(group)])),
        writeKey: this.#options.writeKey,
        reads: this.#options.reads ?? "public",
        linkKeys: this.#options.linkKeys,
        ...this.#policy(),
        corsOrigins: this.#options.corsOrigins ?? ["*"],
        freshnessMs: this.#options.freshnessMs ?? defaults.freshnessMs,
        outageGraceMs: defaults.outageGraceMs,
        hotCacheBytes: this.#options.hotCacheBytes ?? defaults.hotCacheBytes,
        hotFileMaxBytes: defaults.hotFileMaxBytes,
        log: this.#log.child({ member: "gateway" }),
      }),
    );
  }
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

function makeSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (cause) {
    const code = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("DATA_NOT_WRITABLE", `the data folder ${dataDir} cannot be made: ${code}`, {
      cause,
      remedy: "choose a folder that this user may write with --data",
    });
  }
}
