import { type Config, type ConfigRole, loadConfig, optionsOf } from "@dsm/config";
import type { ArgsDef } from "../strict.ts";

type ServerRole = Exclude<ConfigRole, "client">;

/** The flags of a role, from the table of options. */
export function roleArgs(role: ServerRole): ArgsDef {
  const config = {
    type: "string",
    valueHint: "PATH",
    description: "The TOML file. (Default: DSM_CONFIG)",
  } as const;
  const rows = flagsOf(role).map(({ flag, option }) => {
    const { doc, kind, presence, example, fallbackDoc } = option;
    const words = presence === "default" ? kind.toText(example) : fallbackDoc;
    const suffix = words === undefined || words === "" ? "" : ` (Default: ${words})`;
    const description = `${doc}${suffix}`.replaceAll("`", "");
    return [flag, { type: "string", valueHint: kind.hint, description } as const] as const;
  });
  return { ...Object.fromEntries(rows), config };
}

/** @throws DsmError USAGE or BAD_CONFIG */
export function roleConfig<R extends ServerRole>(
  role: R,
  args: Readonly<Record<string, unknown>>,
): Promise<Config<R>> {
  const flags = flagsOf(role).map(({ flag, key }) => [key, textOf(args[flag])] as const);
  return loadConfig(role, {
    flags: Object.fromEntries(flags),
    env: process.env,
    configPath: textOf(args["config"]),
  });
}

/** With the flags' names as citty wants them, without the dashes. */
function flagsOf(role: ServerRole) {
  return optionsOf(role).flatMap((it) =>
    it.flag === undefined ? [] : [{ ...it, flag: it.flag.slice(2) }],
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
