import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Catalog, openCatalog } from "@dsm/catalog";
import type { StoredSpace } from "@dsm/protocol";
import { groups } from "./cluster.ts";
import { absent, type MediaKey, type State } from "./file-history.ts";
import type { FinalPorts } from "./final-ports.ts";
import { checkByFsck } from "./fsck-check.ts";
import { untilTrashIsEmpty } from "./trash.ts";

/**
 * What is stored adds up: the trash is empty when its time is over, the usage of each user is the
 * sum of the files, fsck finds nothing, and once it has removed what crashes left, a group's disk
 * holds the blobs of its files and nothing else. This ends the storages.
 */
export async function checkSpace(
  { cluster, figures, ledger, keys }: FinalPorts,
  states: ReadonlyMap<MediaKey, State>,
): Promise<void> {
  const tell = (what: string) => figures.violations.push({ kind: "space", what });
  await using catalog = await openCatalog(cluster.catalog.url);
  for (const group of groups) await untilTrashIsEmpty(catalog, group);
  for (const user of new Set(keys.map((key) => key.user))) {
    const expected: StoredSpace = { liveFiles: 0, liveBytes: 0, trashBlobs: 0, trashBytes: 0 };
    for (const key of keys.filter((it) => it.user === user)) {
      const content = ledger.content(key, states.get(key) ?? absent);
      if (content === undefined) continue;
      expected.liveFiles++;
      expected.liveBytes += content.sizeBytes;
    }
    const usage = await catalog.usageOf(user);
    const { liveFiles, liveBytes, trashBlobs, trashBytes } = usage ?? expected;
    const counted: StoredSpace = { liveFiles, liveBytes, trashBlobs, trashBytes };
    if (liveBytes > (usage?.quotaBytes ?? Infinity)) tell(`${user} is over the quota`);
    if (Bun.deepEquals(counted, expected)) continue;
    tell(`${user} has ${JSON.stringify(expected)} and is said to have ${JSON.stringify(counted)}`);
  }
  if (figures.violations.length > 0) return;
  await checkByFsck(cluster, figures);
  for (const group of groups) {
    const live = await blobsOfFiles(catalog, keys, group);
    const onDisk = await blobsOnDisk(cluster.groupRoot(group));
    for (const id of live.difference(onDisk)) tell(`${group} misses blob ${id}`);
    for (const id of onDisk.difference(live)) tell(`${group} has blob ${id}, of no file`);
  }
}

async function blobsOfFiles(
  catalog: Catalog,
  keys: readonly MediaKey[],
  group: string,
): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const { user, fileId } of keys) {
    const current = await catalog.current(user, fileId);
    if (current?.file?.group === group) ids.add(current.file.blobId);
  }
  return ids;
}

async function blobsOnDisk(root: string): Promise<Set<string>> {
  const entries = await readdir(join(root, "blobs"), { recursive: true, withFileTypes: true });
  return new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => basename(name)));
}
