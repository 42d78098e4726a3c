import { parseArgs } from "node:util";
import { nearest } from "@dsm/config";
import { DsmError } from "@dsm/protocol";
import type { ArgDef, ArgsDef } from "citty";

/** One flag as node:util tokenises it. */
interface FlagToken {
  readonly name: string;
  /** As it was written, with its dashes. */
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/**
 * Checks the arguments of one command before citty reads them.
 * @throws DsmError USAGE: an unknown or repeated flag, a missing, surplus or wrong value
 */
export function assertArgs(title: string, rawArgs: string[], def: ArgsDef): void {
  const options = Object.fromEntries(
    Object.entries(def)
      .filter(([, arg]) => arg.type !== "positional")
      .map(([name, arg]) => [name, parserOption(arg)]),
  );
  const { tokens } = parseArgs({
    args: rawArgs,
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const seen = new Set<string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind === "option") assertFlag(title, token, def, seen);
  }
  for (const [name, arg] of Object.entries(def)) {
    if (arg.type !== "positional" && arg.required === true && !seen.has(name)) {
      throw usage(title, `--${name} is missing`);
    }
  }
  assertPositionals(title, positionals, def);
}

function parserOption(arg: ArgDef) {
  const type = arg.type === "boolean" ? ("boolean" as const) : ("string" as const);
  const short = "alias" in arg && typeof arg.alias === "string" ? { short: arg.alias } : {};
  return { type, multiple: true, ...short };
}

function assertFlag(title: string, token: FlagToken, def: ArgsDef, seen: Set<string>): void {
  const { name, rawName, value, inlineValue } = token;
  const arg = Object.hasOwn(def, name) ? def[name] : undefined;
  if (arg === undefined || arg.type === "positional") throw unknownFlag(title, rawName, def);
  if (arg.type === "boolean") {
    if (value !== undefined) throw usage(title, `${rawName} takes no value`);
  } else {
    if (value === undefined || (inlineValue === false && /^-./.test(value))) {
      throw usage(title, `${rawName} needs a value`);
    }
    if (seen.has(name)) throw usage(title, `${rawName} is given twice`);
    if (arg.type === "enum" && arg.options?.includes(value) === false) {
      const choices = arg.options.join(", ");
      throw usage(title, `${rawName}: ${JSON.stringify(value)} is none of ${choices}`);
    }
  }
  seen.add(name);
}

function unknownFlag(title: string, rawName: string, def: ArgsDef): DsmError {
  const flags = Object.entries(def).filter(([, arg]) => arg.type !== "positional");
  const guess = nearest(
    rawName,
    flags.map(([name]) => `--${name}`),
  );
  return usage(title, `the flag ${rawName} is unknown`, guess);
}

function assertPositionals(title: string, given: readonly string[], def: ArgsDef): void {
  const known = Object.entries(def).filter(([, arg]) => arg.type === "positional");
  const missing = known[given.length];
  if (missing !== undefined && missing[1].required !== false) {
    throw usage(title, `${missing[0].toUpperCase()} is missing`);
  }
  const takesAll = known.at(-1)?.[0].endsWith("…") ?? false;
  const surplus = given[known.length];
  if (surplus === undefined || takesAll) return;
  throw usage(title, `the argument ${JSON.stringify(surplus)} is one too many`);
}

/** Wrong usage of a command, with the way to its help. */
export function usage(title: string, message: string, guess?: string): DsmError {
  const help = `see ${title} --help`;
  return new DsmError("USAGE", message, {
    remedy: guess === undefined ? help : `did you mean ${guess}? ${help}`,
  });
}
