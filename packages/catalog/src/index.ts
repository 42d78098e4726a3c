export * from "./catalog.ts";
export { type CatalogServer, examineCatalog } from "./examine.ts";
export type { CatalogLoad } from "./loading.ts";
export { migrateCatalog } from "./migrate.ts";
export { openCatalog, openCatalogToLoad } from "./open.ts";
