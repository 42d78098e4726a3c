export * from "./bodies.ts";
export * from "./certificate.ts";
export { MariaDb, mariaDbMissing, sharedMariaDb, startMariaDb } from "./mariadb.ts";
export * from "./media.ts";
export * from "./process.ts";
export * from "./temp-dir.ts";
export * from "./until.ts";
