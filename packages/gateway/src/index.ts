export type { DeliveryMode } from "./delivery-choice.ts";
export { Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
