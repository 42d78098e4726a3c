export { addressRange, endpoint, listenAddress, serversUrl, url } from "./addresses.ts";
export { deliveries } from "./delivery.ts";
export { cacheControl, fieldName, origin } from "./http.ts";
export { linkKey, list, mount } from "./lists.ts";
export { duration, size } from "./measures.ts";
export { bool, int, name, oneOf, path, text } from "./plain.ts";
