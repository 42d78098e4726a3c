import { describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLog } from "@dsm/log";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { BlobStore } from "./blob-store.ts";
import { DiskHealth } from "./disk-health.ts";
import { mountMissing, SmallDisk } from "./testing/small-disk.ts";

const missing = mountMissing();
const sync = { blobsSyncThemselves: true, blobSyncEveryBytes: undefined };

/** A disk, what writes to it, and all that was said of it. */
async function setUp(stack: AsyncDisposableStack) {
  const disk = stack.use(await SmallDisk.mount(1024 * 1024));
  const said: string[] = [];
  const log = createLog("info", { write: (line: string) => void said.push(line) });
  let changes = 0;
  const onChange = () => void changes++;
  const health = stack.use(new DiskHealth({ root: disk.path, storageId: "s1", log, onChange }));
  const blobs = new BlobStore(disk.path, sync);
  let next = 1;
  const write = async (sizeBytes: number) => {
    const written = blobs.write(blobIdFromNumber(next++), new Uint8Array(sizeBytes));
    await written.catch((error: unknown) => health.note(error));
  };
  return { disk, health, write, said, changes: () => changes };
}

function refusal(health: DiskHealth): string | undefined {
  try {
    health.assertWritable();
    return undefined;
  } catch (error) {
    return error instanceof DsmError ? `${error.http} ${error.code} ${error.message}` : "?";
  }
}

describe.skipIf(missing !== undefined)(`DiskHealth${missing ? ` (${missing})` : ""}`, () => {
  test("a disk that takes no byte more is full until it does", async () => {
    await using stack = new AsyncDisposableStack();
    const { disk, health, write, said, changes } = await setUp(stack);
    await write(1000);
    expect(refusal(health)).toBeUndefined();
    const filler = join(disk.path, "filler");
    await writeFile(filler, new Uint8Array(2 * 1024 * 1024)).catch(() => undefined);
    for (let tries = 0; tries < 3; tries++) await write(64 * 1024);
    expect(refusal(health)).toMatch(/^507 STORAGE_FULL storage s1 is full: .*ENOSPC/);
    expect([health.isFull, health.isFailing]).toEqual([true, false]);
    await rm(filler);
    await until("it is well again", () => refusal(health) === undefined);
    expect([said.length, changes()]).toEqual([2, 2]);
    expect(await Bun.file(join(disk.path, ".dsm-probe-s1")).exists()).toBe(false);
  });

  test("a disk that turns read-only is failing until it turns back", async () => {
    await using stack = new AsyncDisposableStack();
    const { disk, health, write, said, changes } = await setUp(stack);
    await disk.readOnly(true);
    for (let tries = 0; tries < 3; tries++) await write(1000);
    expect(refusal(health)).toMatch(/^503 STORAGE_FAILED storage s1 cannot write .*EROFS/);
    expect([health.isFull, health.isFailing]).toEqual([false, true]);
    // It stays so while the probe fails, however often that is.
    await Bun.sleep(1_500);
    expect(health.isFailing).toBe(true);
    await disk.readOnly(false);
    await until("it is well again", () => refusal(health) === undefined);
    expect([said.length, changes()]).toEqual([2, 2]);
  });

  test("what is no fault of the disk changes nothing", async () => {
    await using stack = new AsyncDisposableStack();
    const { health } = await setUp(stack);
    health.note(new DsmError("UPLOAD_INCOMPLETE", "the client is gone"));
    health.note(new Error("whatever"));
    expect(refusal(health)).toBeUndefined();
  });
});
