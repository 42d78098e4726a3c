export * from "./client.ts";
export { formatEndpoint, parseEndpoint } from "./endpoint.ts";
export type { RpcContext, RpcHandlers } from "./handlers.ts";
export * from "./pool.ts";
export * from "./server.ts";
