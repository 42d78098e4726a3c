import { join, resolve } from "node:path";
import { openCatalogToLoad } from "@dsm/catalog";
import { type Finding, findingTexts, rebuildCatalog } from "@dsm/recovery";
import { catalogArgs, namedCatalog, noCatalog } from "../catalog/catalog-url.ts";
import { groupRootsOf, parseGroupRoots } from "../catalog/group-roots.ts";
import { defaultDataDir } from "../find-cluster.ts";
import { sayResult } from "../stdout.ts";
import { command } from "../strict.ts";
import { sizeText } from "../table.ts";
import { lockDataDir } from "../up/data-lock.ts";
import { workBar } from "../work-bar.ts";

export const catalogRebuild = command({
  args: {
    root: {
      type: "string",
      valueHint: "GROUP=FOLDER,…",
      description: "The folders of all groups. (Default: those of the dsm up in --data)",
    },
    data: { type: "string", valueHint: "DIR", description: "Of a dsm up. (Default: ./.dsm)" },
    verify: { type: "boolean", description: "Read all files and check their SHA-256 too." },
    "dry-run": { type: "boolean", description: "Say what would come of it, and write nothing." },
    ...catalogArgs,
  },
  async run({ args, json, signal }) {
    await using stack = new AsyncDisposableStack();
    const dataDir = args.data ?? defaultDataDir;
    const isDry = args["dry-run"] === true;
    const roots =
      args.root === undefined ? await groupRootsOf(dataDir) : parseGroupRoots(args.root);
    // What a running `dsm up` writes meanwhile would be missing.
    if (args.root === undefined && !isDry) stack.use(await lockDataDir(resolve(dataDir)));
    const own = args.root === undefined ? `sqlite:${join(dataDir, "catalog.db")}` : undefined;
    const load = isDry
      ? undefined
      : stack.use(await openCatalogToLoad((await namedCatalog(args)) ?? own ?? fail(), "rebuild"));
    const bar = stack.use(workBar(json));
    const result = await rebuildCatalog({
      roots,
      verify: args.verify === true,
      onFinding: (finding) => sayResult(json, { finding }, [lineOf(finding)]),
      onProgress: (progress) => bar.show(progress),
      signal,
      ...(load === undefined ? {} : { load }),
    });
    bar[Symbol.dispose]();
    const findings = Object.values(result.findings).reduce((sum, n) => sum + n, 0);
    const perSecond = Math.round(result.records / Math.max(0.001, result.tookMs / 1_000));
    await sayResult(json, { done: { ...result, perSecond, dryRun: isDry } }, [
      `${isDry ? "would rebuild" : "rebuilt"} ${result.users} users and ${result.versions} ` +
        `versions: ${result.liveFiles} files with ${sizeText(result.liveBytes)}`,
      `  ${result.records} records, ${perSecond} a second; ids go on at ${result.nextId}`,
      findings === 0 ? "  nothing is damaged" : `  ${findings} findings, see above`,
    ]);
    return findings === 0 ? 0 : 1;
  },
});

function fail(): never {
  throw noCatalog();
}

function lineOf(finding: Finding): string {
  const { kind, ...rest } = finding;
  const details = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${kind}  ${details.join(" ")}: ${findingTexts[kind]}`;
}
