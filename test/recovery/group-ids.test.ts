import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCatalog, openCatalogToLoad } from "@dsm/catalog";
import { rebuildCatalog } from "@dsm/recovery";
import { tempDir } from "@dsm/testkit";
import { sqliteUrl } from "./backup-fixture.ts";

test("a rebuild takes the ids of groups from the markers of their file systems", async () => {
  await using dir = await tempDir();
  const id = crypto.randomUUID();
  // The second one is of a dsm that knew no ids.
  const markers = { g1: { group: "g1", id }, g2: { group: "g2" } };
  const roots = new Map<string, string>();
  for (const [group, marker] of Object.entries(markers)) {
    const root = join(dir.path, group);
    for (const folder of ["blobs", "journal"]) await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, "dsm-group.json"), JSON.stringify(marker));
    roots.set(group, root);
  }
  const url = await sqliteUrl(dir.path, "rebuilt.db");
  {
    await using load = await openCatalogToLoad(url, "rebuild");
    await rebuildCatalog({
      roots,
      load,
      verify: false,
      onFinding: async (finding) => {
        throw new Error(`the rebuild found ${JSON.stringify(finding)}`);
      },
      onProgress: () => {},
      signal: new AbortController().signal,
    });
  }
  await using catalog = await openCatalog(url);
  expect(await catalog.groups()).toMatchObject([{ name: "g1", id }]);
});
