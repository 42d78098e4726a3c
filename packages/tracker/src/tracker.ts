import type { Catalog } from "@dsm/catalog";
import { type Clock, systemClock } from "@dsm/clock";
import type { Log } from "@dsm/log";
import {
  type ClusterSecret,
  DsmError,
  type Member,
  type RequestOf,
  softwareVersion,
  type TrackerStatus,
} from "@dsm/protocol";
import { type RpcHandlers, type RpcServer, serveRpc } from "@dsm/rpc";
import { assignUser } from "./assign.ts";
import { Locator } from "./locator.ts";
import { Membership } from "./membership.ts";
import { spaceHandlers } from "./space.ts";

/** All of a tracker but its socket. */
export interface TrackerCoreOptions {
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  readonly heartbeatIntervalMs: number;
  readonly missedBeats: number;
  /** How long a capability that this tracker signs is good. */
  readonly capabilityTtlMs: number;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface TrackerOptions extends TrackerCoreOptions {
  readonly hostname: string;
  readonly port: number;
  /** How long whoever pings it has to turn to another one before it stops; none unless given. */
  readonly drainDelayMs?: number;
}

/** Starts a tracker. Its memory is empty at first and complete after one heartbeat interval. */
export function startTracker(options: TrackerOptions): RpcServer {
  const { hostname, port, secret, log, drainDelayMs } = options;
  return serveRpc({
    hostname,
    port,
    drainDelayMs,
    secret,
    role: "tracker",
    handlers: trackerHandlers(options),
    onFault: (error, peer) => log.warn({ err: error, peer }, "tracker: request failed"),
  });
}

/** What a tracker that starts now answers; its memory is in them, and goes with them. */
export function trackerHandlers(options: TrackerCoreOptions): RpcHandlers {
  const { secret, catalog, capabilityTtlMs, clock = systemClock } = options;
  const startedAtMs = clock.now();
  const membership = new Membership({ ...options, clock });
  const locator = new Locator({
    catalog,
    membership,
    secret,
    capabilityTtlMs,
    startedAtMs,
    clock,
  });
  return {
    ...membershipHandlers(membership, options),
    ...spaceHandlers(catalog, clock),
    ping: () => ({ role: "tracker", nowMs: clock.now() }),
    locate: (request) => locator.locate(request),
    stat: ({ user, fileId }) => locator.stat(user, fileId),
    list: (query) => listFiles(catalog, query, clock.now()),
    status: () => statusOf(membership.members(), startedAtMs),
    assign: (request) => assignUser({ catalog, membership, clock }, request),
  };
}

function membershipHandlers(membership: Membership, options: TrackerCoreOptions): RpcHandlers {
  const { heartbeatIntervalMs, log } = options;
  return {
    join: (state) => {
      membership.join(state);
      log.info({ storage: state.storageId, group: state.group, url: state.dataUrl }, "joined");
      return { heartbeatIntervalMs };
    },
    heartbeat: (state) => membership.heartbeat(state),
    leave: ({ storageId, incarnation }) => {
      membership.leave(storageId, incarnation);
      log.info({ storage: storageId }, "left");
      return {};
    },
    remove: ({ storageId }) => {
      const known = membership.remove(storageId);
      if (known) log.info({ storage: storageId }, "removed");
      return { known };
    },
    drain: ({ storageId, draining }) => {
      membership.wishDrain(storageId, draining);
      log.info({ storage: storageId, draining }, "drain asked");
      return {};
    },
  };
}

async function listFiles(catalog: Catalog, query: RequestOf<"list">, nowMs: number) {
  const { user, limit, prefix, after } = query;
  const page = await catalog.list({
    user,
    limit,
    nowMs,
    ...(prefix === undefined ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
  });
  if (page.files.length > 0 || (await catalog.groupOf(user)) !== undefined) return page;
  throw new DsmError("USER_NOT_FOUND", `there is no user ${user}`, {
    remedy: "a user comes to be with the first upload",
  });
}

function statusOf(members: readonly Member[], startedAtMs: number): TrackerStatus {
  const byGroup = Map.groupBy(members, (member) => member.group);
  const groups = [...byGroup]
    .map(([group, of]) => ({
      group,
      members: of.toSorted((a, b) => (a.storageId < b.storageId ? -1 : 1)),
    }))
    .toSorted((a, b) => (a.group < b.group ? -1 : 1));
  return { startedAtMs, softwareVersion, groups };
}
