export * from "./membership.ts";
export * from "./tracker.ts";
