import { DsmClient } from "@dsm/client";
import { problemResponse, type RequestInfo } from "@dsm/delivery";
import type { Log } from "@dsm/log";
import { DsmError } from "@dsm/protocol";
import { Hono } from "hono";
import { type Access, accessFor } from "./access.ts";
import { apiApp } from "./api.ts";
import { deliveryFor, type DeliveryMode } from "./delivery-choice.ts";
import { Front } from "./front.ts";
import { readiness } from "./health.ts";
import { LocatedFiles } from "./located-files.ts";
import { type MediaReadsOptions, readMedia } from "./media-reads.ts";
import { deleteMedia, putMedia } from "./media-writes.ts";
import { publicReads } from "./read-access.ts";

export interface GatewayOptions {
  readonly hostname: string;
  readonly port: number;
  readonly trackers: readonly string[];
  readonly secret: string;
  readonly delivery: DeliveryMode;
  /** Group → folder where its file system is mounted on this host. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Needed to write and list; without it the gateway may listen on loopback only. */
  readonly writeKey?: string | undefined;
  readonly reusePort?: boolean;
  readonly log: Log;
}

/** Hono passes on what the server knows of a request besides the request itself. */
interface Env {
  readonly Bindings: RequestInfo;
}

/** How long `drain` waits for requests that are under way. */
const drainTimeoutMs = 30_000;

/** @throws DsmError ADDRESS_IN_USE or BAD_CONFIG */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { hostname, port, trackers, secret, log } = options;
  const access = accessFor(hostname, options.writeKey);
  const client = new DsmClient({ trackers, secret, role: "gateway" });
  const delivery = deliveryFor(options.delivery, options.mounts);
  try {
    // The app needs its front to tell it which bodies it may give, and the front needs the app.
    const front: Front = await Front.open({
      engine: engineFor(options),
      hostname,
      port,
      fetch: (request, info) => app.fetch(request, info),
      onFault: (err) => log.warn({ err }, "gateway: request failed"),
      ...(options.reusePort === undefined ? {} : { reusePort: options.reusePort }),
    });
    const files = new LocatedFiles(client);
    const app = gatewayApp({ client, access, reads: publicReads, files, delivery, front });
    return new Gateway(front, client);
  } catch (error) {
    await client.close();
    throw error;
  }
}

export class Gateway implements AsyncDisposable {
  readonly #front: Front;
  readonly #client: DsmClient;

  /** Use startGateway. */
  constructor(front: Front, client: DsmClient) {
    this.#front = front;
    this.#client = client;
  }

  get url(): string {
    return this.#front.url;
  }

  get port(): number {
    return this.#front.port;
  }

  /** Takes no new connections, and closes when what is under way has ended. */
  async drain(): Promise<void> {
    await this.#front.drain(drainTimeoutMs);
    await this.#client.close();
  }

  /** Stops at once, as if the process had died. */
  async kill(): Promise<void> {
    this.#front.kill();
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

function gatewayApp(parts: MediaReadsOptions & { readonly access: Access }): Hono<Env> {
  const { client, access } = parts;
  const app = new Hono<Env>();
  app.on(["GET", "HEAD"], "/media/*", (c) => readMedia(parts, c.req.raw, c.env));
  app.put("/media/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return putMedia(client, c.req.raw);
  });
  app.delete("/media/*", (c) => {
    access.assertMayWriteOrList(c.req.raw);
    return deleteMedia(client, c.req.raw);
  });
  app.all("/media/*", (c) => methodNotAllowed(c.req.method, "GET, HEAD, PUT, DELETE"));
  app.route("/api/v1", apiApp(client, access));
  app.all("/api/v1/*", (c) =>
    c.req.method === "GET" ? unknownRoute(c.req.path) : methodNotAllowed(c.req.method, "GET"),
  );
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    const state = await readiness(client);
    return c.json(state, state.ready ? 200 : 503);
  });
  app.notFound((c) => unknownRoute(c.req.path));
  // serveHttp answers errors, and tells the log of those that are ours.
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Sendfile where there are mounts; see Front for a group that turns out not to be among them. */
function engineFor({ delivery, mounts }: GatewayOptions): "sendfile" | "stream" {
  return delivery !== "proxy" && mounts.size > 0 ? "sendfile" : "stream";
}

function unknownRoute(path: string): Response {
  return problemResponse(
    new DsmError("UNKNOWN_ROUTE", `there is nothing at ${path.slice(0, 200)}`, {
      remedy: "media are at /media/{user}/{fileId}, the API at /api/v1",
    }),
  );
}

function methodNotAllowed(method: string, allow: string): Response {
  const error = new DsmError("METHOD_NOT_ALLOWED", `${method} is not allowed here`, {
    remedy: `use one of ${allow}`,
  });
  return problemResponse(error, { Allow: allow });
}
