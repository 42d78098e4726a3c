import { expect, test } from "bun:test";
import { until } from "@dsm/testkit";
import { Scene } from "./scene.ts";

const loadMs = 8_000;
/** Far more than any step of a write takes here, and less than the load lasts. */
const orphanAgeMs = 1_500;
const filesPerWriter = 300;

/** Uploads, overwrites and deletes by several at a time, until they are told to end. */
async function write(scene: Scene, writer: number, signal: AbortSignal): Promise<number> {
  let turn = 0;
  for (; !signal.aborted; turn++) {
    const fileId = `${writer}/${turn % filesPerWriter}`;
    await scene.put(fileId, `${turn}`.repeat(turn % 50));
    if (turn % 5 === 4) await scene.delete(fileId);
  }
  return turn;
}

test("under load, with a reaper that never rests, fsck finds nothing", async () => {
  await using s = await Scene.open({
    storages: 2,
    orphanAgeMs,
    trashGraceMs: 0,
    reapIntervalMs: 20,
  });
  const load = new AbortController();
  const writers = [0, 1, 2, 3].map((writer) => write(s, writer, load.signal));
  const startedAtMs = performance.now();
  let rounds = 0;
  let blobs = 0;
  while (performance.now() - startedAtMs < loadMs) {
    const { findings, done } = await s.fsck({
      digests: rounds % 2 === 0,
      repair: rounds % 3 === 2,
    });
    expect(findings).toEqual([]);
    blobs = Math.max(blobs, Number(done?.["blobs"]));
    rounds++;
  }
  load.abort();
  const turns = await Promise.all(writers);
  // Enough that much was under way in each round, and much was old enough to be doubted.
  expect(turns.reduce((sum, turn) => sum + turn, 0)).toBeGreaterThan(300);
  expect([rounds > 2, blobs > 50]).toEqual([true, true]);
  await until("the trash is empty", async () => {
    return (await s.cluster.catalog.usageOf("ann"))?.trashBlobs === 0;
  });
  await Bun.sleep(orphanAgeMs);
  expect((await s.fsck({ digests: true, repair: true })).findings).toEqual([]);
});
