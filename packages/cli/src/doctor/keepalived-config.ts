import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** Files that name one another in a circle end somewhere. */
const includesMax = 64;

/**
 * A configuration of Keepalived as it reads it: without comments, with what it includes and with
 * the values of `$NAME`.
 * @throws what the reading of the file itself throws; an included one that cannot be read is left
 * out, as Keepalived does
 */
export async function keepalivedConfig(path: string): Promise<string> {
  const left = { files: includesMax };
  return withValues(await withIncludes(await readFile(path, "utf8"), dirname(path), left));
}

async function withIncludes(
  text: string,
  folder: string,
  left: { files: number },
): Promise<string> {
  const lines: string[] = [];
  for (const line of text.replaceAll(/[#!].*$/gm, "").split("\n")) {
    const pattern = /^\s*include[rmwb]*\s+(\S+)\s*$/.exec(line)?.[1];
    if (pattern === undefined) {
      lines.push(line);
      continue;
    }
    for (const file of await filesOf(resolve(folder, pattern))) {
      if (left.files-- <= 0) return lines.join("\n");
      const included = await readFile(file, "utf8").catch(() => "");
      lines.push(await withIncludes(included, dirname(file), left));
    }
  }
  return lines.join("\n");
}

/** A name may be a pattern, as of a shell. */
async function filesOf(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  const scan = new Bun.Glob(basename(pattern)).scan({ cwd: folder, onlyFiles: false });
  try {
    return (await Array.fromAsync(scan)).toSorted().map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function withValues(text: string): string {
  const values = new Map<string, string>();
  const lines = text.split("\n").filter((line) => {
    const [, name, value = ""] = /^\s*\$(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) values.set(name, value.trim());
    return name === undefined;
  });
  const valueOf = (whole: string, braced?: string, bare?: string) =>
    values.get(braced ?? bare ?? "") ?? whole;
  return lines.join("\n").replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, valueOf);
}
