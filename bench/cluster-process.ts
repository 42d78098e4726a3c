import { startCluster } from "@dsm/cluster";
import { createLog } from "@dsm/log";

/** A cluster in a process of its own. Arguments: the options of startCluster, as JSON. */
const options = JSON.parse(process.argv[2] ?? "{}") as Parameters<typeof startCluster>[0];
const cluster = await startCluster({ ...options, log: createLog("error") });
console.log(JSON.stringify({ ready: true, trackers: cluster.trackerEndpoints }));
