import type { LogLevel } from "@dsm/log";
import { DsmError } from "@dsm/protocol";
import { assertFits } from "./cross-checks.ts";
import { type NamedOption, optionsOf } from "./names.ts";
import type { ConfigRole, Option, Section, SharedOption } from "./option.ts";
import type { options } from "./options.ts";
import {
  type ConfigSources,
  readFrom,
  readOption,
  type Setting,
  type Sources,
  sourcesOf,
} from "./read-option.ts";
import { isTooOpen, readSecret, tooOpen } from "./secret-option.ts";

type Table = typeof options;

type ValueOf<O, R extends ConfigRole> =
  O extends Option<infer T, infer P>
    ? P extends "default"
      ? T
      : P extends "required"
        ? R extends "client"
          ? T | undefined
          : T
        : T | undefined
    : never;

/** What a section holds for the roles that it names. */
type SharedOf<S extends Section, R extends ConfigRole> = {
  readonly [
    K in keyof Table[S] as Table[S][K] extends SharedOption<unknown, infer Roles>
      ? R extends Roles
        ? K extends "secret" | "secretFile"
          ? never
          : K
        : never
      : never
  ]: ValueOf<Table[S][K], R>;
};

type Common<R extends ConfigRole> = SharedOf<"common", R> & {
  readonly secret: R extends "client" ? string | undefined : string;
};

type Own<R extends ConfigRole> =
  R extends Exclude<Section, "common">
    ? { readonly [K in keyof Table[R]]: ValueOf<Table[R][K], R> }
    : SharedOf<"gateway", "client">;

/** What a role runs with: its shared options, its own, and the secret itself. */
export type Config<R extends ConfigRole> = Common<R> & Own<R>;

/**
 * The checked configuration of a role: flags weigh more than variables, then the file, then the
 * defaults.
 * @throws DsmError USAGE for a wrong flag, else BAD_CONFIG; it names the flag, the variable or
 * the file and key, what is wrong with the value, and what is right
 */
export async function loadConfig<R extends ConfigRole>(
  role: R,
  from: ConfigSources,
): Promise<Config<R>> {
  const sources = await sourcesOf(from);
  const named = optionsOf(role);
  // Wrong values are reported before missing ones: they say more about what was meant.
  const settings = new Map(named.map((it) => [it.key, readOption(it, sources)]));
  const loaded: Record<string, unknown> = {};
  for (const it of named) loaded[it.key] = valueOf(role, it, settings.get(it.key), sources);
  delete loaded["secretFile"];
  loaded["secret"] = await readSecret(sources);
  if (loaded["secret"] === undefined && role !== "client") throw noSecret();
  assertFits(role, loaded, (key) => settings.get(key)?.place ?? key);
  return loaded as Config<R>;
}

/**
 * What `dsm up` takes from its environment alone.
 * @throws DsmError BAD_CONFIG
 */
export function logLevelOf(env: ConfigSources["env"], fallback: LogLevel): LogLevel {
  const named = optionsOf("client").find((it) => it.key === "logLevel");
  if (named === undefined) return fallback;
  return (readFrom("env", named, { flags: {}, env, file: undefined })?.value ??
    fallback) as LogLevel;
}

function valueOf(
  role: ConfigRole,
  named: NamedOption,
  setting: Setting | undefined,
  sources: Sources,
): unknown {
  if (setting?.source === "file") assertPrivate(named, sources);
  if (setting !== undefined) return setting.value;
  const { presence, example } = named.option;
  if (presence === "required" && role !== "client") throw missing(role, named);
  return presence === "default" ? example : undefined;
}

function assertPrivate({ option }: NamedOption, { file }: Sources): void {
  if (option.confidential !== true || file === undefined) return;
  if (isTooOpen(file.mode)) throw tooOpen(file.path, file.mode);
}

function missing(role: ConfigRole, { flag, env, tomlKey, section, option }: NamedOption): DsmError {
  const where = section === "common" ? "" : ` in [${section}]`;
  const flagWords = flag === undefined ? "" : `${flag}, `;
  return new DsmError("BAD_CONFIG", `a ${role} needs ${tomlKey.replaceAll("_", " ")}`, {
    remedy: `set ${flagWords}${env}, or ${tomlKey}${where} in the --config file to ${option.kind.rule}`,
  });
}

function noSecret(): DsmError {
  return new DsmError("BAD_CONFIG", "no cluster secret", {
    remedy:
      "make one with: (umask 077; openssl rand -hex 32 > secret), give every member and client " +
      "the same, and name it with --secret-file, DSM_SECRET_FILE or secret_file",
  });
}
