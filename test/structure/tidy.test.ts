import { expect, test } from "bun:test";
import { join } from "node:path";
import { readManifests, readSources, root } from "./sources.ts";

const fileMaxLines = 300;
const lineMaxColumns = 100;
const readmeMaxLines = 120;

const sources = await readSources("{packages,test,bench}/**/*.ts");
const scripts = await readSources("{bin,assets,.ci}/**/*");
const manifests = await readManifests();

/** Each fault by its name, as `file:line` where it is. */
function linesWith(fault: (line: string) => boolean): string[] {
  return sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (fault(line) ? [`${path}:${index + 1}`] : [])),
  );
}

// Put together from halves, so that this file does not find itself.
const banned: Readonly<Record<string, RegExp>> = {
  "work put off": new RegExp(`\\b(?:${"TO"}DO|${"FIX"}ME)\\b`),
  "a test that hides the others": new RegExp(`\\b(?:test|describe|it)\\.${"on"}ly\\(`),
  "a type that is not checked": new RegExp(
    `^(?!\\s*(?://|\\*|/\\*)).*(?:\\bas |[\\w)]: |\\| |<)${"an"}y\\b(?! [a-z])`,
  ),
  "a path of one machine": new RegExp(`["'\`/](?:${"ho"}me|${"wo"}rk|${"ro"}ot|${"Us"}ers)/`),
};

for (const [name, pattern] of Object.entries(banned)) {
  test(`no source holds ${name}`, () => {
    expect(linesWith((line) => pattern.test(line))).toEqual([]);
  });
}

test(`no source has more than ${fileMaxLines} lines`, () => {
  const long = sources.filter(({ text }) => text.split("\n").length - 1 > fileMaxLines);
  expect(long.map(({ path }) => path)).toEqual([]);
});

// The formatter breaks code where it can, and leaves comments to us.
test(`no comment has more than ${lineMaxColumns} columns`, () => {
  const isLong = (line: string) => Bun.stringWidth(line) > lineMaxColumns;
  expect(linesWith((line) => isLong(line) && /^\s*(?:\/\/|\*|\/\*)/.test(line))).toEqual([]);
});

test("no script holds a path of one machine", () => {
  const pattern = banned["a path of one machine"] ?? /$^/;
  expect(scripts.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([]);
});

test("bun.lock names no registry, so that any mirror will do", async () => {
  expect(await Bun.file(join(root, "bun.lock")).text()).not.toMatch(/https?:\/\//);
});

test(`a README has at most ${readmeMaxLines} lines`, async () => {
  const readmes = await readSources("README*.md");
  const long = readmes.filter(({ text }) => text.split("\n").length - 1 > readmeMaxLines);
  expect(long.map(({ path }) => path)).toEqual([]);
});

test("every npm dependency is pinned, and DEPENDENCIES.md says what it is for", async () => {
  const page = await Bun.file(join(root, "docs/DEPENDENCIES.md")).text();
  const declared = new Map<string, string>();
  const loose: string[] = [];
  for (const { path, manifest } of manifests) {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, version] of Object.entries(all)) {
      if (version === "workspace:*") continue;
      if (!/^\d+\.\d+\.\d+$/.test(version)) loose.push(`${path}: ${name} ${version}`);
      declared.set(name, version);
    }
  }
  const described = new Map(
    [...page.matchAll(/^\| `([^`]+)` +\| (\S+) +\|/gm)].map(([, name = "", version = ""]) => [
      name,
      version,
    ]),
  );
  expect(loose).toEqual([]);
  const byName = (map: Map<string, string>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  expect(byName(described)).toEqual(byName(declared));
});
