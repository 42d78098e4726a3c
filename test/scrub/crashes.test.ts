import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { startProcess, until } from "@dsm/testkit";
import { DsmProcesses } from "../processes/dsm-processes.ts";
import { Bricks, flip, noise, pieceBytes, sha256Of } from "./bricks.ts";

const storageProcess = resolve(import.meta.dir, "../crash/storage-process.ts");

/** A member in a process of its own, which dies where it is told to. */
async function victim(bricks: Bricks, crashAt?: string) {
  const options = {
    ...bricks.place(2),
    secret: bricks.cluster.secret,
    catalogUrl: bricks.catalogUrl,
  };
  const child = await startProcess({
    cmd: [process.execPath, storageProcess, JSON.stringify(options)],
    ...(crashAt === undefined ? {} : { env: { DSM_CRASH_AT: crashAt } }),
    ready: /ready (\S+)/,
  });
  return { child, dataUrl: child.readyMatch?.[1] ?? "" };
}

test.each(["heal.written", "heal.checked"])(
  "a storage that dies at %s leaves the mark, and its next life takes it away",
  async (point) => {
    await using bricks = await Bricks.start();
    const file = await bricks.upload("film", noise(2 * pieceBytes));
    await bricks.copyFiles(2);
    await flip(bricks.blobOf(file, 2), pieceBytes);
    const dying = await victim(bricks, point);
    await using _dying = dying.child;
    await expect(bricks.scrub(dying)).rejects.toThrow();
    expect(await dying.child.exited).toBe(128 + 9);
    expect(await bricks.damageOf(file)).toBe("1");
    const reborn = await victim(bricks);
    await using _reborn = reborn.child;
    expect((await bricks.scrub(reborn)).findings).toEqual([]);
    expect(await bricks.damageOf(file)).toBeUndefined();
    expect(await sha256Of(bricks.blobOf(file, 2))).toBe(file.sha256);
  },
);

test("a pass goes on where kill -9 stopped it", async () => {
  await using cluster = await DsmProcesses.start({ trackers: 1, storages: 1 });
  const count = 10;
  for (let n = 0; n < count; n++) {
    const path = join(cluster.dataDir, `film${n}`);
    await Bun.write(path, noise(pieceBytes));
    expect((await cluster.run("upload", path, "--user", "ann")).code).toBe(0);
  }
  const [storage] = cluster.storages;
  if (storage === undefined) throw new Error("there is no storage");
  const statePath = join(cluster.groupRoot(), "scrub/state.json");
  const state = () =>
    Bun.file(statePath)
      .json()
      .catch(() => ({}));
  // Nobody watches any more when the storage is dead: that is said, and no pass is lost by it.
  const watching = cluster.run("scrub", "--now", "--rate", "2MiB");
  const saved = await until("the place is kept", async () => {
    const { pass } = await state();
    return pass?.after === undefined ? undefined : pass;
  });
  await storage.kill();
  expect((await watching).code).toBe(5);
  expect(saved.blobs).toBeGreaterThan(0);
  expect(saved.blobs).toBeLessThan(count);
  await storage.start();
  const { number, startedAtMs } = saved;
  // A storage looks by itself when it starts: that pass may have ended before this one began.
  const last = await until("the pass is done", async () => {
    const { last: ended } = await state();
    return ended?.number >= number ? ended : undefined;
  });
  expect(last).toMatchObject({ number, startedAtMs, blobs: count, bytes: count * pieceBytes });
  const metrics = await (await fetch(`http://${storage.endpoint}/metrics`)).text();
  const readAgain = Number(/^dsm_storage_scrubbed_blobs_total (\d+)/m.exec(metrics)?.[1]);
  expect(readAgain).toBe(count - saved.blobs);
  const { code, stdout } = await cluster.run("scrub");
  expect([code, stdout]).toEqual([0, expect.stringContaining("no damaged file")]);
});
