import { readFile, stat } from "node:fs/promises";
import { DsmError, systemErrorCode } from "@dsm/protocol";
import { namedOptions } from "./names.ts";
import { nearest } from "./nearest.ts";
import { type Section, sections } from "./option.ts";

/** A configuration file, read and checked for sections and keys that do not exist. */
export interface TomlFile {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  value(section: Section, tomlKey: string): unknown;
}

type Table = Record<string, unknown>;

/** @throws DsmError BAD_CONFIG: not readable, not TOML, an unknown section or key */
export async function readTomlFile(path: string): Promise<TomlFile> {
  const { text, mode } = await readText(path);
  const root = parse(path, text);
  for (const [key, value] of Object.entries(root)) {
    if (isSection(key) && isTable(value)) assertKeys(path, key, Object.keys(value));
    else assertTopLevel(path, key, value);
  }
  return {
    path,
    mode,
    value: (section, tomlKey) => {
      const table = section === "common" ? root : root[section];
      return isTable(table) && Object.hasOwn(table, tomlKey) ? table[tomlKey] : undefined;
    },
  };
}

async function readText(path: string): Promise<{ text: string; mode: number }> {
  try {
    return { text: await readFile(path, "utf8"), mode: (await stat(path)).mode & 0o777 };
  } catch (cause) {
    const why = systemErrorCode(cause) ?? String(cause);
    throw new DsmError("BAD_CONFIG", `cannot read the configuration file ${path}: ${why}`, {
      remedy: "name a file that exists with --config or DSM_CONFIG; dsm config prints a sample",
      cause,
    });
  }
}

function parse(path: string, text: string): Table {
  try {
    return Bun.TOML.parse(text) as Table;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^TOML Parse error: /, "") : "";
    throw new DsmError("BAD_CONFIG", `${path}, line ${faultyLine(text)}: ${why}`, {
      remedy: "write TOML 1.0; dsm config prints a sample",
      cause,
    });
  }
}

/** Bun's parser does not say where it failed: it is the line behind the longest good start. */
function faultyLine(text: string): number {
  const lines = text.split("\n");
  for (let count = lines.length - 1; count > 0; count--) {
    try {
      Bun.TOML.parse(lines.slice(0, count).join("\n"));
      return count + 1;
    } catch {
      // The fault is further up.
    }
  }
  return 1;
}

function assertKeys(path: string, section: Section, keys: readonly string[]): void {
  const known = namedOptions.filter((it) => it.section === section).map((it) => it.tomlKey);
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw unknownKey(path, unknown, section === "common" ? "" : ` in [${section}]`, known);
}

function assertTopLevel(path: string, key: string, value: unknown): void {
  if (isSection(key)) {
    throw new DsmError("BAD_CONFIG", `${path}: ${key} is a section and no value`, {
      remedy: `write [${key}] on a line of its own and its keys below it`,
    });
  }
  if (!isTable(value)) {
    assertKeys(path, "common", [key]);
    return;
  }
  const known = sections.filter((it) => it !== "common");
  const guess = nearest(key, known);
  throw new DsmError("BAD_CONFIG", `${path}: the section [${key}] is unknown`, {
    remedy: guess === undefined ? `sections are ${known.join(", ")}` : `did you mean [${guess}]?`,
  });
}

function unknownKey(path: string, key: string, where: string, known: string[]): DsmError {
  const homes = namedOptions.filter((it) => it.tomlKey === key).map(homeOf);
  const guess = nearest(key, known);
  let remedy = `known are ${known.join(", ")}`;
  if (guess !== undefined) remedy = `did you mean ${guess}?`;
  if (homes.length > 0) remedy = `it belongs ${homes.join(" or ")}`;
  return new DsmError("BAD_CONFIG", `${path}: the key ${key}${where} is unknown`, { remedy });
}

function homeOf({ section }: { section: Section }): string {
  return section === "common" ? "before all sections" : `into [${section}]`;
}

function isSection(key: string): key is Section {
  return key !== "common" && sections.some((it) => it === key);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
