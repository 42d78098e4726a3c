import {
  type Config,
  type ConfigRole,
  loadConfig,
  loadUpConfig,
  type NamedOption,
  optionsOf,
  type UpConfig,
  upOptions,
} from "@dsm/config";
import type { ArgsDef } from "../strict.ts";

type ServerRole = Exclude<ConfigRole, "client">;
type Args = Readonly<Record<string, unknown>>;

/** The flags of a role, from the table of options. */
export function roleArgs(role: ServerRole): ArgsDef {
  return optionArgs(optionsOf(role));
}

/** Those of a storage that `dsm up` takes. */
export function upStorageArgs(): ArgsDef {
  return optionArgs(upOptions());
}

/** @throws DsmError USAGE or BAD_CONFIG */
export function roleConfig<R extends ServerRole>(role: R, args: Args): Promise<Config<R>> {
  return loadConfig(role, sources(optionsOf(role), args));
}

/** @throws DsmError USAGE or BAD_CONFIG */
export function upStorageConfig(args: Args): Promise<UpConfig> {
  return loadUpConfig(sources(upOptions(), args));
}

function optionArgs(options: readonly NamedOption[]): ArgsDef {
  const config = {
    type: "string",
    valueHint: "PATH",
    description: "The TOML file. (Default: DSM_CONFIG)",
  } as const;
  const rows = flagsOf(options).map(({ flag, option }) => {
    const { doc, kind, presence, example, fallbackDoc } = option;
    const words = presence === "default" ? kind.toText(example) : fallbackDoc;
    const suffix = words === undefined || words === "" ? "" : ` (Default: ${words})`;
    const description = `${doc}${suffix}`.replaceAll("`", "");
    return [flag, { type: "string", valueHint: kind.hint, description } as const] as const;
  });
  return { ...Object.fromEntries(rows), config };
}

function sources(options: readonly NamedOption[], args: Args) {
  const flags = flagsOf(options).map(({ flag, key }) => [key, textOf(args[flag])] as const);
  return {
    flags: Object.fromEntries(flags),
    env: process.env,
    configPath: textOf(args["config"]),
  };
}

/** With the flags' names as citty wants them, without the dashes. */
function flagsOf(options: readonly NamedOption[]) {
  return options.flatMap((it) =>
    it.flag === undefined ? [] : [{ ...it, flag: it.flag.slice(2) }],
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
