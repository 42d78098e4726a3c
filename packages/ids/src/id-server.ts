import type { Catalog } from "@dsm/catalog";
import type { Log } from "@dsm/log";
import type { ClusterSecret } from "@dsm/protocol";
import { type RpcServer, serveRpc } from "@dsm/rpc";
import { SegmentAllocator } from "./segment-allocator.ts";

export interface IdServerOptions {
  readonly hostname: string;
  readonly port: number;
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  /** Ids taken from the catalog at a time. */
  readonly segmentIds: number;
  readonly log: Log;
}

/** Leases ranges of unique ids. Several are safe side by side: the catalog parts them. */
export function startIdServer(options: IdServerOptions): RpcServer {
  const { catalog, segmentIds, log, hostname, port, secret } = options;
  const allocator = new SegmentAllocator(catalog, segmentIds);
  return serveRpc({
    hostname,
    port,
    secret,
    role: "id",
    handlers: {
      ping: () => ({ role: "id", nowMs: Date.now() }),
      lease: ({ count }) => allocator.lease(count),
    },
    onFault: (error, peer) => log.warn({ err: error, peer }, "id server: request failed"),
  });
}
