import { type Catalog, openCatalog } from "@dsm/catalog";
import type { DsmClient } from "@dsm/client";
import { createLog } from "@dsm/log";
import { clusterSecret } from "@dsm/protocol";
import { startStorage } from "@dsm/storage";
import { until } from "@dsm/testkit";
import { type ChaosCluster, groups } from "./cluster.ts";
import type { Figures } from "./figures.ts";
import { untilTrashIsEmpty } from "./trash.ts";

/** What a crash may leave between the bytes of an upload and its catalog row. */
const leftovers = new Set(["orphan", "unsettled"]);
const passesMax = 3;

/**
 * `dsm fsck` finds nothing on the cluster as it is, with all digests. It says nothing of blobs
 * that may still be of an upload, so then a storage that knows of no such patience takes the place
 * of each group's own, and what it finds is repaired: leftovers, and nothing else.
 */
export async function checkByFsck(cluster: ChaosCluster, figures: Figures): Promise<void> {
  const { code, stdout, stderr } = await cluster.run("fsck", "--digests", "--json");
  if (code !== 0) {
    figures.violations.push({
      kind: "fsck",
      what: `dsm fsck ended with ${code}:\n${stdout}${stderr}`,
    });
    return;
  }
  for (const { role } of cluster.storages) await role.terminate();
  await using catalog = await openCatalog(cluster.catalog.url);
  await using client = cluster.newClient();
  for (const group of groups) {
    await using _storage = await impatientStorage(cluster, catalog, group);
    await until("it is the one that is asked", () => isAlone(client, group));
    await repairAll(client, group, figures);
    // What fsck put in force has replaced something.
    await untilTrashIsEmpty(catalog, group);
  }
}

/**
 * The reaper goes on meanwhile: what a version that it takes away stood in the way of comes to
 * light in the next pass. The last pass finds nothing.
 */
async function repairAll(client: DsmClient, group: string, figures: Figures): Promise<void> {
  for (let pass = 1; pass <= passesMax; pass++) {
    const found = await findings(client, group);
    if (found.length === 0) return;
    for (const finding of found) {
      const kind = String(finding["kind"]);
      if (leftovers.has(kind) && pass < passesMax) figures.found(`${kind} blobs removed`);
      else {
        const what = `${group}, pass ${pass}: ${JSON.stringify(finding)}`;
        figures.violations.push({ kind: "fsck", what });
      }
    }
  }
}

function impatientStorage(cluster: ChaosCluster, catalog: Catalog, group: string) {
  return startStorage({
    id: `${group}-fsck`,
    group,
    root: cluster.groupRoot(group),
    hostname: "127.0.0.1",
    port: 0,
    trackers: cluster.trackers.map(({ relay }) => relay.endpoint),
    idServers: cluster.ids.map(({ relay }) => relay.endpoint),
    secret: clusterSecret(cluster.secret),
    catalog,
    leaseIds: 1,
    reserveBytes: 0,
    trashGraceMs: 0,
    reapIntervalMs: 1_000,
    settlingMaxMs: 0,
    orphanAgeMs: 0,
    cacheControl: "no-cache",
    vary: [],
    log: createLog("warn"),
  });
}

async function isAlone(client: DsmClient, group: string): Promise<boolean> {
  const trackers = await client.statusAll();
  return trackers.every(({ response }) => {
    const members = response?.groups.find((each) => each.group === group)?.members ?? [];
    const online = members.filter((member) => member.online);
    return online.length === 1 && online[0]?.storageId === `${group}-fsck`;
  });
}

async function findings(client: DsmClient, group: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const request = { group, job: "fsck", params: { repair: true } } as const;
  for await (const line of client.maintain(request))
    if ("finding" in line) found.push(line.finding);
  return found;
}
