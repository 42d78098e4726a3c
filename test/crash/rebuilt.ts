import { join } from "node:path";
import { type Catalog, openCatalog, openCatalogToLoad } from "@dsm/catalog";
import { type FileInfo, limits } from "@dsm/protocol";
import { rebuildCatalog } from "@dsm/recovery";
import { tempDir } from "@dsm/testkit";
import { group, user, type World } from "./victim.ts";

/** What each catalog shows to users: the real one, and one that is made of the disk alone. */
export async function shownAndRebuilt({ cluster }: World) {
  await using dir = await tempDir();
  const url = `sqlite:${join(dir.path, "rebuilt.db")}`;
  {
    await using load = await openCatalogToLoad(url, "rebuild");
    await rebuildCatalog({
      roots: new Map([[group, cluster.groupRoot(group)]]),
      load,
      verify: true,
      onFinding: async (finding) => {
        throw new Error(`the rebuild found ${JSON.stringify(finding)}`);
      },
      onProgress: () => {},
      signal: new AbortController().signal,
    });
  }
  await using rebuilt = await openCatalog(url);
  return { shown: await filesOf(cluster.catalog), rebuilt: await filesOf(rebuilt) };
}

async function filesOf(catalog: Catalog): Promise<FileInfo[]> {
  const files: FileInfo[] = [];
  for (let after: string | undefined; ;) {
    const query = { user, limit: limits.listMax, nowMs: Date.now() };
    const page = await catalog.list(after === undefined ? query : { ...query, after });
    files.push(...page.files);
    if (page.next === undefined) return files;
    after = page.next;
  }
}
