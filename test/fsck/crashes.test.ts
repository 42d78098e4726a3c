import { expect, test } from "bun:test";
import { readFile, rename } from "node:fs/promises";
import { resolve } from "node:path";
import type { CrashPoint } from "@dsm/faults";
import { blobPath } from "@dsm/protocol";
import { startProcess } from "@dsm/testkit";
import { foreignId, putRecord, Scene } from "./scene.ts";

const script = resolve(import.meta.dir, "../crash/storage-process.ts");

/** A member in a process of its own, the only one, which dies where it is told to. */
async function victim(s: Scene, crashAt: CrashPoint | "") {
  return startProcess({
    cmd: [
      process.execPath,
      script,
      JSON.stringify({
        id: "victim",
        group: "g1",
        root: s.root,
        trackers: s.cluster.trackerEndpoints,
        idServers: s.cluster.ids.map(({ endpoint }) => endpoint),
        trashGraceMs: 86_400_000,
        reapIntervalMs: 60_000,
        orphanAgeMs: 0,
        secret: s.cluster.secret,
        catalogUrl: s.catalogUrl,
      }),
    ],
    env: { DSM_CRASH_AT: crashAt },
    ready: /ready (\S+)/,
  });
}

/** Out of order in every way of which a repair takes more than one step. */
async function disorder(s: Scene): Promise<void> {
  const astray = await s.put("astray");
  const overwritten = await s.put("overwritten", "old");
  await s.write(`blobs/astray/${astray.blobId}`, "");
  await rename(s.blob(astray), s.at(`blobs/astray/${astray.blobId}`));
  const [cut, whole, orphan] = [foreignId(0), foreignId(1), foreignId(2)];
  await s.write(blobPath(cut), "cu");
  await s.write(blobPath(whole), "new");
  await s.write(blobPath(orphan), "perhaps acknowledged");
  const replaces = overwritten.blobId;
  await s.journaled(
    putRecord({ fileId: "cut", blobId: cut, bytes: "cut" }),
    putRecord({ fileId: "overwritten", version: 2, blobId: whole, bytes: "new", replaces }),
    "00000000 {broken}\n",
  );
}

const points: CrashPoint[] = [
  "fsck.noted",
  "fsck.moved",
  "fsck.linked",
  "fsck.journaled",
  "fsck.loaded",
];

test.each(points)(
  "a storage that dies at %s is followed by a repair that ends it",
  async (point) => {
    await using s = await Scene.open();
    await disorder(s);
    await s.cluster.storages[0]!.drain();
    {
      await using dying = await victim(s, point);
      await expect(s.repair()).rejects.toMatchObject({ code: "UNREACHABLE" });
      expect(await dying.exited).toBe(128 + 9);
    }
    await using _reborn = await victim(s, "");
    await s.repair();
    expect((await s.fsck({ digests: true })).told.map((line) => line.split(" ")[0])).toEqual([
      "journal-damaged",
    ]);
    const seen = ["astray", "overwritten", "cut"].map((fileId) => s.read(fileId));
    expect(await Promise.all(seen)).toEqual(["the text of astray", "new", "FILE_NOT_FOUND"]);
    const kept = (await s.aside()).map((name) => readFile(s.at(`lost+found/${name}`), "utf8"));
    expect((await Promise.all(kept)).toSorted()).toEqual(["cu", "perhaps acknowledged"]);
    expect(await s.cluster.catalog.usageOf("ann")).toMatchObject({ liveFiles: 2, trashBlobs: 1 });
  },
);
