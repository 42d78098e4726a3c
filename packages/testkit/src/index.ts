export * from "./temp-dir.ts";
export * from "./until.ts";
