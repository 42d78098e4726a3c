export * from "./id-server.ts";
export * from "./segment-allocator.ts";
