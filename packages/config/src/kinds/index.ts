export { endpoint, listenAddress, url } from "./addresses.ts";
export { list, mount } from "./lists.ts";
export { duration, size } from "./measures.ts";
export { bool, int, name, oneOf, path, text } from "./plain.ts";
