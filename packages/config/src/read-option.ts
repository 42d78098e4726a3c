import { dirname, resolve } from "node:path";
import { DsmError } from "@dsm/protocol";
import { path as pathKind } from "./kinds/index.ts";
import type { Reading } from "./kinds/kind.ts";
import type { NamedOption } from "./names.ts";
import { readTomlFile, type TomlFile } from "./toml-file.ts";

/** What a configuration is to be loaded from. */
export interface ConfigSources {
  /** Values of flags by the key of the option. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The TOML file; DSM_CONFIG in `env` names it too. */
  readonly configPath?: string | undefined;
}

/** @throws DsmError BAD_CONFIG for a file that cannot be read */
export async function sourcesOf({ flags = {}, env, configPath }: ConfigSources): Promise<Sources> {
  const path = configPath ?? (env["DSM_CONFIG"] || undefined);
  return { flags, env, file: path === undefined ? undefined : await readTomlFile(resolve(path)) };
}

/** Where a configuration comes from. */
export interface Sources {
  /** Values of flags by the key of the option, as text. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: TomlFile | undefined;
}

/** Heaviest first. */
export const sourceNames = ["flag", "env", "file"] as const;
export type SourceName = (typeof sourceNames)[number];

/** An option as it was set, with the words that name the place where it was. */
export interface Setting {
  readonly value: unknown;
  readonly source: SourceName;
  /** `--listen`, `DSM_LISTEN`, or `dsm.toml: listen in [tracker]`. */
  readonly place: string;
}

/**
 * Flags weigh more than variables, variables more than the file. An empty variable is not set.
 * @throws DsmError USAGE for a flag, BAD_CONFIG for a variable or the file
 */
export function readOption(named: NamedOption, sources: Sources): Setting | undefined {
  for (const source of sourceNames) {
    const setting = readFrom(source, named, sources);
    if (setting !== undefined) return setting;
  }
  return undefined;
}

/** The option as this one source sets it. */
export function readFrom(
  source: SourceName,
  named: NamedOption,
  sources: Sources,
): Setting | undefined {
  const raw = rawOf(source, named, sources);
  if (raw === undefined) return undefined;
  const place = placeOf(source, named, sources.file);
  const { kind } = named.option;
  const reading = source === "file" ? kind.fromToml(raw) : kind.fromText(String(raw));
  if ("fault" in reading) throw wrongValue(source, place, named, raw, reading);
  // A path in a file is relative to the file, so that the file means the same from everywhere.
  const base = source === "file" && sources.file ? dirname(sources.file.path) : ".";
  const value = kind === pathKind ? resolve(base, String(reading.value)) : reading.value;
  return { value, source, place };
}

function rawOf(source: SourceName, named: NamedOption, { flags, env, file }: Sources): unknown {
  if (source === "flag") return named.flag === undefined ? undefined : flags[named.key];
  if (source === "file") return file?.value(named.section, named.tomlKey);
  const value = env[named.env];
  return value === "" ? undefined : value;
}

function placeOf(source: SourceName, named: NamedOption, file: TomlFile | undefined): string {
  if (source === "flag") return named.flag ?? named.key;
  if (source === "env") return named.env;
  const where = named.section === "common" ? "" : ` in [${named.section}]`;
  return `${file?.path ?? "the file"}: ${named.tomlKey}${where}`;
}

const shownMaxChars = 80;

function wrongValue(
  source: SourceName,
  place: string,
  { option }: NamedOption,
  raw: unknown,
  { fault }: Extract<Reading<never>, { fault: string }>,
): DsmError {
  const shown = option.confidential === true ? "the value" : show(raw);
  return new DsmError(
    source === "flag" ? "USAGE" : "BAD_CONFIG",
    `${place}: ${shown} is wrong: ${fault}`,
    { remedy: `give ${option.kind.rule}` },
  );
}

function show(raw: unknown): string {
  // A URL may hold a password.
  const text = (JSON.stringify(raw) ?? String(raw)).replaceAll(/\/\/[^/]*@/g, "//…@");
  return text.length > shownMaxChars ? `${text.slice(0, shownMaxChars)}…` : text;
}
