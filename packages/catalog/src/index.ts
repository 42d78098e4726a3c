export * from "./catalog.ts";
export { migrateCatalog } from "./migrate.ts";
export { openCatalog } from "./open.ts";
