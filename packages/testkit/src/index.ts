export * from "./bodies.ts";
export * from "./certificate.ts";
export * from "./faulty-fs/faulty-fs.ts";
export { Galera, type GaleraPlace, galeraMissing, startGalera } from "./galera/galera.ts";
export { GaleraNode } from "./galera/galera-node.ts";
export {
  gluster,
  glusterMissing,
  healBacklog,
  killBricks,
  mountVolume,
  startBricks,
  startGlusterd,
} from "./hosts/gluster.ts";
export { Host, type HostProcess } from "./hosts/host.ts";
export { HostBox } from "./hosts/host-box.ts";
export {
  hasAddress,
  keepalivedMissing,
  type KeepalivedTerms,
  startKeepalived,
} from "./hosts/keepalived.ts";
export { hostsMissing } from "./hosts/missing.ts";
export { runTool } from "./hosts/run-tool.ts";
export { hostCard } from "./hosts/switch.ts";
export { MariaDb, mariaDbMissing, sharedMariaDb, startMariaDb } from "./mariadb.ts";
export * from "./media.ts";
export * from "./process.ts";
export * from "./temp-dir.ts";
export { mountTmpfs, type Tmpfs, tmpfsMissing } from "./tmpfs.ts";
export * from "./until.ts";
