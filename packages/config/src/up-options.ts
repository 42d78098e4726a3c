import type { Config } from "./load.ts";
import { type NamedOption, optionsOf } from "./names.ts";
import { type ConfigSources, readOption, sourcesOf } from "./read-option.ts";

/** What `dsm up` lets its storages be told, and what it decides for them is not in here. */
const upKeys = [
  "reserveBytes",
  "sync",
  "commitGroupMax",
  "trashGraceMs",
  "reapIntervalMs",
  "reapPerSecond",
  "scrubBytesPerSecond",
  "scrubIntervalMs",
  "moveBytesPerSecond",
] as const satisfies ReadonlyArray<keyof Config<"storage">>;

export type UpConfig = Pick<Config<"storage">, (typeof upKeys)[number]>;

/** The options of a storage that `dsm up` takes as well, with all their names. */
export function upOptions(): NamedOption[] {
  const keys: readonly string[] = upKeys;
  return optionsOf("storage").filter(({ key }) => keys.includes(key));
}

/**
 * As loadConfig, of these options alone: the file may be one for other roles too.
 * @throws DsmError USAGE for a wrong flag, else BAD_CONFIG
 */
export async function loadUpConfig(from: ConfigSources): Promise<UpConfig> {
  const sources = await sourcesOf(from);
  // Each of them has a default: a row without one could not be run with.
  const values = upOptions().map(
    (it) => [it.key, (readOption(it, sources) ?? { value: it.option.example }).value] as const,
  );
  return Object.fromEntries(values) as unknown as UpConfig;
}
