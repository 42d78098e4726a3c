export type { Deliveries, DeliveryMode } from "./delivery-choice.ts";
export { Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export type { ReadsMode } from "./read-access.ts";
