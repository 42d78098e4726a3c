export { Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
export { Member } from "./member.ts";
