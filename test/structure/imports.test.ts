import { expect, test } from "bun:test";
import { findCycle, importsOf, packageOf, readPackages, readSources } from "./sources.ts";
import { resolveRelative, type Package, type SourceFile } from "./sources.ts";

const packages = await readPackages();
const sources = await readSources("{packages,test}/**/*.ts");
const internal = new Set(packages.map(({ name }) => name));

/** Never imported by one another. The gateway alone may use the client: it is a user of the SDK. */
const roles = ["ids", "tracker", "storage", "gateway", "client", "console"];
const roleOf = (name: string) => roles.find((role) => name === `@dsm/${role}`);

const isRelative = (specifier: string) => specifier.startsWith(".");
const isBuiltIn = (specifier: string) => /^(?:node:|bun$|bun:)/.test(specifier);
const isTestCode = (path: string) =>
  path.startsWith("test/") ||
  path.endsWith(".test.ts") ||
  /\/(?:testing|conformance)(?:\/|\.ts$)/.test(path) ||
  path.startsWith("packages/testkit/");

function ownerOf(file: SourceFile): Package {
  const owner = packages.find(({ folder }) => file.path.startsWith(`${folder}/`));
  if (owner === undefined) throw new Error(`${file.path} belongs to no package`);
  return owner;
}

/** Every import of another package: who, from which file, by which specifier. */
const crossings = sources.flatMap((file) =>
  file.imports
    .filter((specifier) => !isRelative(specifier) && !isBuiltIn(specifier))
    .map((specifier) => ({ file, owner: ownerOf(file), specifier, target: packageOf(specifier) })),
);

test("imports are found, those of types and dynamic ones too", () => {
  // Joined, so that no line of this file itself begins with such an import.
  const text = [
    'import type { A } from "a";',
    'import {\n  b,\n  type B,\n} from "b";\nb();',
    'export type { C } from "c";',
    'export * from "d";',
    'await import("e");',
    'import "f";',
  ].join("\n");
  expect(importsOf(text)).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("roles do not import roles", () => {
  const wrong = crossings.filter(({ owner, target }) => {
    const [from, to] = [roleOf(owner.name), roleOf(target)];
    if (from === undefined || to === undefined || from === to) return false;
    return !(from === "gateway" && to === "client");
  });
  expect(wrong.map(({ file, specifier }) => `${file.path} imports ${specifier}`)).toEqual([]);
});

test("packages do not import one another in a circle", () => {
  const shipped = crossings.filter(({ file }) => !isTestCode(file.path));
  const graph = new Map(
    packages.map(({ name }) => {
      const targets = shipped.filter(({ owner }) => owner.name === name);
      return [name, targets.map(({ target }) => target).filter((to) => internal.has(to))];
    }),
  );
  expect(findCycle(graph)).toBeUndefined();
});

test("files of a package do not import one another in a circle", () => {
  const graph = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(isRelative).map((specifier) => resolveRelative(path, specifier)),
    ]),
  );
  expect(findCycle(graph)).toBeUndefined();
});

/** What operators are given may be inside a program as text, so that there is one of it. */
const staysIn = (folder: string, path: string) =>
  path.startsWith(folder) || path.startsWith("deploy/");

test("a relative import stays in its package, and another package is met at its index", () => {
  const wrong = sources.flatMap((file) =>
    file.imports
      .filter((specifier) =>
        isRelative(specifier)
          ? !staysIn(`${ownerOf(file).folder}/`, resolveRelative(file.path, specifier))
          : internal.has(packageOf(specifier)) && specifier !== packageOf(specifier),
      )
      .map((specifier) => `${file.path} imports ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

test("every import is declared, and shipped code uses no test packages", () => {
  const wrong = crossings.filter(({ file, owner, target }) => {
    if (target === owner.name || owner.dependencies.includes(target)) {
      return target === "@dsm/testkit" && !isTestCode(file.path);
    }
    return !(isTestCode(file.path) && owner.devDependencies.includes(target));
  });
  expect(wrong.map(({ file, specifier }) => `${file.path} imports ${specifier}`)).toEqual([]);
});

test("a circle is found", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  expect(findCycle(graph)).toEqual(["b", "c", "b"]);
});
