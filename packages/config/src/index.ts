export { type HostPort, parseListenAddress, showHostPort } from "./kinds/addresses.ts";
export type { Mount } from "./kinds/lists.ts";
export { type Config, type ConfigSources, loadConfig, logLevelOf } from "./load.ts";
export { configMarkdown } from "./markdown.ts";
export { type NamedOption, optionsOf } from "./names.ts";
export { nearest } from "./nearest.ts";
export type { ConfigRole } from "./option.ts";
export { sampleToml } from "./sample.ts";
export { readSecretFile } from "./secret-option.ts";
