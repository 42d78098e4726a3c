import { expect, test } from "bun:test";
import { closeSync, existsSync, linkSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { VersionRow } from "@dsm/catalog";
import { encodeRecord } from "@dsm/journal";
import { blobIdFromNumber, blobPath, limits } from "@dsm/protocol";
import { Scene } from "./scene.ts";

const smallCount = 20_000;
const largeCount = 200_000;
const heapGrowthMaxBytes = 8 * 1024 * 1024;
/** What SQLite may take, however much there is: two caches of 64 MiB and the catalog's of 32. */
const residentGrowthMaxBytes = 224 * 1024 * 1024;
const sha256 = Bun.SHA256.hash("", "hex");
const atMs = Date.now() - 3_600_000;

/** Empty files, from one number to another, in catalog, journal and disk; every tenth has none. */
async function fill(scene: Scene, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += limits.listMax) {
    const rows = Array.from({ length: limits.listMax }, (_, i): VersionRow => {
      const n = start + i;
      const fileId = `folder/${String(n).padStart(8, "0")}.mp4`;
      const named = { user: "ann", fileId, group: "g1", version: 1, mediaType: "video/mp4" };
      return { ...named, id: blobIdFromNumber(n), deleted: false, sizeBytes: 0, sha256, atMs };
    });
    await scene.cluster.catalog.load({ versions: rows });
    await scene.journaled(
      ...rows.map(({ user, fileId, group, version, sizeBytes, mediaType, id: blobId }) => {
        const file = { user, fileId, group, version, sizeBytes, mediaType, blobId };
        return encodeRecord({ kind: "put", file: { ...file, sha256, modifiedAtMs: atMs } });
      }),
    );
    const [first, ...others] = rows.map(({ id }) => id).filter((id) => !isMissing(id));
    if (first === undefined) continue;
    create(scene.at(blobPath(first)));
    // Names of one file are made faster than files.
    for (const id of others) link(scene.at(blobPath(first)), scene.at(blobPath(id)));
  }
  await scene.cluster.catalog.checkUsage({ repair: true });
}

const isMissing = (id: string) => Number.parseInt(id, 16) % 10 === 0;

function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "w"));
}

function link(from: string, to: string): void {
  if (!existsSync(dirname(to))) mkdirSync(dirname(to), { recursive: true });
  linkSync(from, to);
}

interface Peak {
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** The most memory that this process had during a run, with storage and client in it. */
async function peakOf(scene: Scene, count: number): Promise<Peak> {
  const peak = { heapBytes: 0, residentBytes: 0 };
  let findings = 0;
  Bun.gc(true);
  for await (const line of scene.client.maintain({ group: "g1", job: "fsck", params: {} })) {
    if ("finding" in line) {
      expect(line.finding["kind"]).toBe("missing");
      findings++;
    }
    if ("done" in line) expect(line.done).toMatchObject({ records: count, blobs: 0.9 * count });
    if (!("progress" in line)) continue;
    // What is in use counts, and not what is yet to be collected.
    Bun.gc(true);
    const { rss, heapUsed } = process.memoryUsage();
    peak.residentBytes = Math.max(peak.residentBytes, rss);
    peak.heapBytes = Math.max(peak.heapBytes, heapUsed);
  }
  expect(findings).toBe(count / 10);
  return peak;
}

test(`${largeCount} files take no more memory than ${smallCount}, findings included`, async () => {
  await using s = await Scene.open();
  await s.cluster.catalog.assignGroup("ann", "g1", 1);
  await fill(s, 1, smallCount);
  const small = await peakOf(s, smallCount);
  await fill(s, smallCount + 1, largeCount);
  const large = await peakOf(s, largeCount);
  expect(large.heapBytes - small.heapBytes).toBeLessThan(heapGrowthMaxBytes);
  expect(large.residentBytes - small.residentBytes).toBeLessThan(residentGrowthMaxBytes);
}, 300_000);
