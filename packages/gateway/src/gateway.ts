import { DsmClient, type ReadObserver } from "@dsm/client";
import {
  notTaken,
  openTls,
  type PolicyOptions,
  type RequestInfo,
  servingPolicy,
  StopNotice,
  type StopNoticeOptions,
  type TlsPaths,
} from "@dsm/delivery";
import type { Log } from "@dsm/log";
import { clusterSecret, type LinkKey, LinkKeys } from "@dsm/protocol";
import { Hono } from "hono";
import { type Access, accessFor } from "./access.ts";
import { apiApp } from "./api.ts";
import { type Deliveries, deliveryFor, type DeliveryMode, mayBeLocal } from "./delivery-choice.ts";
import { Front } from "./front.ts";
import { Readiness, stoppingState } from "./health.ts";
import { GivenVersions } from "./given-versions.ts";
import { HotFiles } from "./hot-files.ts";
import { LocatedFiles } from "./located-files.ts";
import { type MediaReadsOptions, readMedia } from "./media-reads.ts";
import { deleteMedia, putMedia } from "./media-writes.ts";
import { GatewayMetrics } from "./metrics.ts";
import type { LinkMaking } from "./links-api.ts";
import { readAccess, type ReadsMode } from "./read-access.ts";
import { Redirector } from "./redirect.ts";
import { routeOf } from "./routes.ts";
import { StorageHealth } from "./storage-health.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

export interface GatewayOptions extends PolicyOptions, StopNoticeOptions, TlsPaths {
  readonly hostname: string;
  readonly port: number;
  /** HTTP/3 as well; needs TLS. */
  readonly http3?: boolean;
  readonly trackers: readonly string[];
  readonly secret: string;
  readonly delivery: DeliveryMode | Deliveries;
  /** How long a URL that a client is redirected to is good; an hour unless given. */
  readonly redirectTtlMs?: number | undefined;
  /** Group → folder where its file system is mounted on this host. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Needed to write and list; without it the gateway may listen on loopback only. */
  readonly writeKey?: string | undefined;
  /** Who may read; everybody unless given. */
  readonly reads?: ReadsMode;
  /** Keys of signed links: the first signs, all check. */
  readonly linkKeys?: readonly LinkKey[] | undefined;
  /** IP addresses and CIDR ranges of proxies that are believed whom they speak for. */
  readonly trustedProxies?: readonly string[];
  /** What the URLs of new links begin with; the origin of the request for one unless given. */
  readonly publicUrl?: string | undefined;
  /** Origins whose pages may use the gateway; `*` unless given, and all others may read then. */
  readonly corsOrigins?: readonly string[];
  /** With no byte of a proxied read after this long, a second storage is asked as well. */
  readonly hedgeAfterMs?: number | undefined;
  /** A storage that sends no byte of a proxied read for this long is given up. */
  readonly upstreamStallMs?: number | undefined;
  /** For how long it is taken for granted where a file is. */
  readonly freshnessMs: number;
  readonly outageGraceMs: number;
  /** All small files that are kept in memory, and the largest of them. */
  readonly hotCacheBytes: number;
  readonly hotFileMaxBytes: number;
  readonly reusePort?: boolean;
  readonly log: Log;
}

/** Hono passes on what the server knows of a request besides the request itself. */
interface Env {
  readonly Bindings: RequestInfo;
}

/** How long `drain` waits for requests that are under way. */
const drainTimeoutMs = 30_000;
const redirectTtlDefaultMs = 3_600_000;

/** @throws DsmError ADDRESS_IN_USE or BAD_CONFIG */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { hostname, port, log } = options;
  const rights = rightsOf(options);
  const metrics = new GatewayMetrics();
  await using cleanup = new AsyncDisposableStack();
  const client = cleanup.use(clientOf(options, metrics));
  const tls = cleanup.use(await openTls(options, log));
  // The app needs its front to tell it which bodies it may give, and the front needs the app.
  const front: Front = await Front.open({
    engine: engineFor(options),
    tls,
    http3: options.http3 ?? false,
    hostname,
    port,
    fetch: (request, info) => metrics.measure(request, () => app.fetch(request, info)),
    cors: { origins: options.corsOrigins ?? ["*"], routeOf },
    onFault: (err) => log.warn({ err }, "gateway: request failed"),
    ...(options.reusePort === undefined ? {} : { reusePort: options.reusePort }),
  });
  const memory = memoryOf(options, client, metrics);
  const stopping = new StopNotice(options);
  const app = gatewayApp({
    client,
    ...rights,
    ...memory,
    delivery: deliveryFor(options.delivery, options.mounts),
    redirector: redirectorOf(options),
    front,
    metrics,
    policy: servingPolicy(options),
    stopping,
  });
  return new Gateway(front, memory.files, stopping, cleanup.move());
}

/** Who may do what. @throws DsmError BAD_CONFIG */
function rightsOf(options: GatewayOptions) {
  const access = accessFor(options.hostname, options.writeKey);
  const keys = new LinkKeys(options.linkKeys ?? []);
  const proxies = new TrustedProxies(options.trustedProxies ?? []);
  const reads = readAccess({ mode: options.reads ?? "public", keys, proxies, access });
  return { access, reads, proxies, links: { keys, proxies, publicUrl: options.publicUrl } };
}

function clientOf(options: GatewayOptions, observer: ReadObserver): DsmClient {
  const { trackers, secret, hedgeAfterMs, upstreamStallMs } = options;
  return new DsmClient({
    trackers,
    secret,
    role: "gateway",
    hedgeAfterMs,
    upstreamStallMs,
    observer,
  });
}

/** What is remembered from one request to the next. */
function memoryOf(options: GatewayOptions, client: DsmClient, metrics: GatewayMetrics) {
  const { hotCacheBytes: maxBytes, hotFileMaxBytes: fileMaxBytes } = options;
  return {
    files: new LocatedFiles({ ...options, client, metrics }),
    hot: new HotFiles({ maxBytes, fileMaxBytes, metrics }),
    given: new GivenVersions(),
  };
}

function redirectorOf({ secret, redirectTtlMs }: GatewayOptions): Redirector {
  return new Redirector({
    secret: clusterSecret(secret),
    ttlMs: redirectTtlMs ?? redirectTtlDefaultMs,
    health: new StorageHealth(),
  });
}

export class Gateway implements AsyncDisposable {
  readonly #front: Front;
  readonly #files: LocatedFiles;
  readonly #stopping: StopNotice;
  /** What the front needs to the end. */
  readonly #rest: AsyncDisposable;

  /** Use startGateway. */
  constructor(front: Front, files: LocatedFiles, stopping: StopNotice, rest: AsyncDisposable) {
    this.#front = front;
    this.#files = files;
    this.#stopping = stopping;
    this.#rest = rest;
  }

  /** To be called before a change of a file that this process knows of is acknowledged. */
  forget(user: string, fileId: string): void {
    this.#files.forget(user, fileId);
  }

  get url(): string {
    return this.#front.url;
  }

  get port(): number {
    return this.#front.port;
  }

  /**
   * Says that it is not ready for `drainDelayMs`; then takes no new connections, and closes when
   * what is under way has ended.
   */
  async drain(): Promise<void> {
    await this.#stopping.give();
    await this.#front.drain(drainTimeoutMs);
    await this.#rest[Symbol.asyncDispose]();
  }

  /** Stops at once, as if the process had died. */
  async kill(): Promise<void> {
    this.#front.kill();
    await this.#rest[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

interface AppParts extends MediaReadsOptions {
  readonly access: Access;
  readonly links: LinkMaking;
  readonly metrics: GatewayMetrics;
  readonly stopping: StopNotice;
}

const whereThingsAre = "media are at /media/{user}/{fileId}, the API at /api/v1";

function gatewayApp(parts: AppParts): Hono<Env> {
  const { client, access, files, metrics } = parts;
  const readiness = new Readiness(client);
  const app = new Hono<Env>();
  app.on(["GET", "HEAD"], "/media/*", (c) => readMedia(parts, c.req.raw, c.env));
  app.put("/media/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return putMedia(client, files, c.req.raw, c.env);
  });
  app.delete("/media/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return deleteMedia(client, files, c.req.raw);
  });
  app.route("/api/v1", apiApp(parts));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    const state = parts.stopping.isGiven ? stoppingState : await readiness.look();
    return c.json(state, state.ready ? 200 : 503);
  });
  app.get("/metrics", async (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return c.body(await metrics.text(), 200, { "Content-Type": metrics.contentType });
  });
  app.notFound((c) => notTaken(c.req.method, routeOf(c.req.path), whereThingsAre));
  // serveHttp answers errors, and tells the log of those that are ours.
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Sendfile where there are mounts; see Front for a group that turns out not to be among them. */
function engineFor({ delivery, mounts }: GatewayOptions): "sendfile" | "stream" {
  return mayBeLocal(delivery, mounts) ? "sendfile" : "stream";
}
