import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

interface Promised {
  readonly line: string;
  readonly path: string;
  /** Words of the name of one test; without, the file as a whole shows it. */
  readonly words: string | undefined;
}

/** The last cell of each row of docs/HTTP.md: `path` "words of a test's name". */
async function promises(): Promise<Promised[]> {
  const text = await readFile(join(root, "docs/HTTP.md"), "utf8");
  return text
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[ :|-]+\|$/.test(line))
    .filter((line) => !/^\| promise +\|/.test(line))
    .map((line) => {
      const cell = line.split("|").at(-2) ?? "";
      const match = /^ `([^`]+\.test\.ts)`(?: "([^"]+)")? *$/.exec(cell);
      return { line, path: match?.[1] ?? "", words: match?.[2] };
    });
}

test("every promise of docs/HTTP.md names a test that there is", async () => {
  const rows = await promises();
  expect(rows.length).toBeGreaterThan(30);
  const broken: string[] = [];
  for (const { line, path, words } of rows) {
    const source = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (path === "" || source === undefined) broken.push(`no such file: ${line}`);
    else if (words !== undefined && !source.includes(words)) broken.push(`no such test: ${line}`);
  }
  expect(broken).toEqual([]);
});
