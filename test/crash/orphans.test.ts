import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, blobPath } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { foreignId, Scene } from "../fsck/scene.ts";
import { group, World } from "./victim.ts";

/** Far more than a step of an upload takes here. */
const orphanAgeMs = 500;
const quick = { orphanAgeMs, orphanLookMs: 50 };

/** What is on the disk of the group. */
async function blobsOf(root: string): Promise<string[]> {
  return Array.fromAsync(new Bun.Glob("blobs/*/*/*/*").scan({ cwd: root }));
}

test("the space of an upload that kill -9 has cut off comes back without fsck", async () => {
  await using world = await World.open();
  const root = world.cluster.groupRoot(group);
  await world.start();
  await world.put("kept", "bytes that stay");
  const before = await blobsOf(root);
  await world.start("put.written");
  await world.put("cut", "bytes that nobody was told of");
  expect(await world.died()).toBe(137);
  const orphan = (await blobsOf(root)).find((path) => !before.includes(path)) ?? "";
  expect(existsSync(join(root, orphan))).toBe(true);
  await world.start(undefined, quick);
  await until("the space is back", () => Promise.resolve(!existsSync(join(root, orphan))));
  expect(await blobsOf(root)).toEqual(before);
  await world.stop();
}, 30_000);

/** A cluster in which storages look for orphans all the time, with some orphans. */
async function looking(ids: readonly BlobId[], arrange: (s: Scene) => Promise<void>) {
  const scene = await Scene.open(quick);
  await scene.put("a");
  for (const id of ids) await scene.write(blobPath(id), "orphan");
  await arrange(scene);
  return scene;
}

/** Until a storage has looked at all names, by when all of them are old. */
async function untilLooked(s: Scene): Promise<void> {
  await Bun.sleep(orphanAgeMs + 100);
  await rm(s.at("scrub/orphans.json"), { force: true });
  const state = Bun.file(s.at("scrub/orphans.json"));
  await until("it was looked", () => state.exists());
}

describe("a storage removes by itself", () => {
  test("what is proven to be garbage, and counts it", async () => {
    await using s = await looking([foreignId(), foreignId(1)], async () => {});
    await untilLooked(s);
    expect(await blobsOf(s.root)).toHaveLength(1);
    expect(await s.read("a")).toBe("the text of a");
    const [storage] = s.cluster.storages;
    const metrics = await (await fetch(`${storage?.running.dataUrl}/metrics`)).text();
    expect(metrics).toContain("dsm_storage_orphan_blobs_total 2");
    expect(metrics).toContain("dsm_storage_orphan_bytes_total 12");
    expect((await s.fsck()).told).toEqual([]);
  });

  const doubts: Array<[string, (s: Scene) => Promise<void>]> = [
    ["a line of a journal is damaged", (s) => s.journaled("00000000 {broken}\n")],
    [
      "a part of a journal is missing",
      (s) => s.write("journal/g1-s9/20200101T000000000Z-life-000001.log", ""),
    ],
    [
      "a row has lost its record",
      (s) => s.editJournals((line) => (line.includes('"put"') ? undefined : line)),
    ],
    [
      "the catalog was made anew since",
      async (s) => s.sql("INSERT INTO id_segments (name, next) VALUES ('loaded:', 9000000)"),
    ],
  ];
  for (const [doubt, arrange] of doubts) {
    test(`nothing where ${doubt}`, async () => {
      await using s = await looking([foreignId()], arrange);
      await untilLooked(s);
      expect(existsSync(s.at(blobPath(foreignId())))).toBe(true);
      expect(await s.aside()).toEqual([]);
    });
  }
});
