import { dirname, join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dir, "../..");

export interface SourceFile {
  /** Relative to the root of the checkout. */
  readonly path: string;
  readonly text: string;
  /** The specifier of every import and re-export, of types too. */
  readonly imports: readonly string[];
}

export interface Package {
  readonly name: string;
  /** Relative to the root, such as `packages/ids`. */
  readonly folder: string;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

const transpiler = new Bun.Transpiler({ loader: "ts" });
const fromClause = /^(?:import|export)\s[^;"']*?\sfrom\s+["']([^"']+)["']/gm;

/**
 * Bun's scanner sees every import that runs, dynamic ones included, and drops those of types. The
 * pattern adds these: an import statement begins its line in formatted code.
 */
export function importsOf(source: string): string[] {
  // The scanner does not know the first line of a script.
  const text = source.replace(/^#!.*/, "");
  const found = new Set(transpiler.scanImports(text).map(({ path }) => path));
  for (const match of text.matchAll(fromClause)) if (match[1] !== undefined) found.add(match[1]);
  return [...found].toSorted();
}

export async function readSources(pattern: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const path of new Bun.Glob(pattern).scan({ cwd: root })) {
    if (path.includes("node_modules/")) continue;
    const text = await Bun.file(join(root, path)).text();
    files.push({ path, text, imports: path.endsWith(".ts") ? importsOf(text) : [] });
  }
  return files.toSorted((a, b) => a.path.localeCompare(b.path));
}

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

export async function readManifests(): Promise<{ path: string; manifest: Manifest }[]> {
  const paths = ["package.json", ...new Bun.Glob("packages/*/package.json").scanSync(root)];
  const read = async (path: string) => {
    const manifest: Manifest = await Bun.file(join(root, path)).json();
    return { path, manifest };
  };
  return Promise.all(paths.toSorted().map(read));
}

/** The packages, and the root as the package that holds test/. */
export async function readPackages(): Promise<Package[]> {
  const manifests = await readManifests();
  return manifests.map(({ path, manifest }) => ({
    name: manifest.name,
    folder: path === "package.json" ? "test" : dirname(path),
    dependencies: Object.keys(manifest.dependencies ?? {}),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
  }));
}

/** `./a.ts` imported by `packages/x/src/b.ts` is `packages/x/src/a.ts`. */
export function resolveRelative(from: string, specifier: string): string {
  return relative(root, resolve(root, dirname(from), specifier));
}

/** `@dsm/protocol/src/x.ts` is of `@dsm/protocol`, and `hono/http` of `hono`. */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** One cycle of the graph as a path that ends where it begins, or undefined when there is none. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (done.has(node)) return undefined;
    const at = trail.indexOf(node);
    if (at !== -1) return [...trail.slice(at), node];
    trail.push(node);
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
