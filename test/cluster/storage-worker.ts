import type { Cluster } from "@dsm/cluster";
import { silentLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage, type Storage } from "@dsm/storage";

/** One more storage on the first group of a cluster, whose trash is due at once. */
export function startWorker(
  cluster: Cluster,
  terms: { readonly trackers: readonly string[]; readonly reapIntervalMs: number },
): Promise<Storage> {
  return startStorage({
    id: "worker",
    group: "g1",
    root: cluster.groupRoot("g1"),
    hostname: "127.0.0.1",
    port: 0,
    idServers: cluster.ids.map((server) => server.endpoint),
    secret: clusterSecret(cluster.secret),
    catalog: cluster.catalog,
    leaseIds: 16,
    reserveBytes: 0,
    trashGraceMs: 0,
    log: silentLog,
    ...terms,
  });
}
