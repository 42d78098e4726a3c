export * from "./bodies.ts";
export * from "./certificate.ts";
export * from "./faulty-fs/faulty-fs.ts";
export { MariaDb, mariaDbMissing, sharedMariaDb, startMariaDb } from "./mariadb.ts";
export * from "./media.ts";
export * from "./process.ts";
export * from "./temp-dir.ts";
export { mountTmpfs, type Tmpfs, tmpfsMissing } from "./tmpfs.ts";
export * from "./until.ts";
