import { expect, test } from "bun:test";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { BlobWriter } from "./blob-writer.ts";

const earlySync = { blobsSyncThemselves: false, blobSyncEveryBytes: 1_000 };
const noPieces = () => Promise.reject(new Error("a small blob has no sidecar"));

/** A real file whose n-th sync fails, as the kernel has it: the next one succeeds again. */
async function failingOnce(path: string, failAt: number) {
  const file = await open(path, "wx");
  let syncs = 0;
  const handle = {
    write: file.write.bind(file),
    close: file.close.bind(file),
    async datasync() {
      if (++syncs === failAt) throw Object.assign(new Error("EIO"), { code: "EIO" });
      await file.datasync();
    },
  };
  return { handle: handle as unknown as FileHandle, syncs: () => syncs };
}

test("a large blob is synced as it grows, and once more at its end", async () => {
  await using dir = await tempDir();
  const { handle, syncs } = await failingOnce(join(dir.path, "blob"), Infinity);
  const writer = new BlobWriter("blob", handle, earlySync, noPieces);
  for (let n = 0; n < 5; n++) await writer.write(new Uint8Array(500));
  await writer.finish();
  expect(syncs()).toBe(3);
});

test("a small blob leaves its sync to the group", async () => {
  await using dir = await tempDir();
  const { handle, syncs } = await failingOnce(join(dir.path, "blob"), 1);
  const writer = new BlobWriter("blob", handle, earlySync, noPieces);
  await writer.write(new Uint8Array(999));
  await writer.finish();
  expect(syncs()).toBe(0);
});

test("an early sync that failed is never taken for good because a later one succeeds", async () => {
  await using dir = await tempDir();
  const { handle } = await failingOnce(join(dir.path, "blob"), 1);
  const writer = new BlobWriter("blob", handle, earlySync, noPieces);
  await writer.write(new Uint8Array(1_000));
  const failed = await writer.finish().catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "STORAGE_FAILED" });
  await writer.close();
});

test("a blob that was not written to for too long is given up: it may be gone by then", async () => {
  await using dir = await tempDir();
  for (const last of ["write", "finish"] as const) {
    const { handle } = await failingOnce(join(dir.path, last), Infinity);
    const writer = new BlobWriter("blob", handle, earlySync, noPieces, 20);
    await writer.write(new Uint8Array(9));
    await Bun.sleep(30);
    const late = last === "write" ? writer.write(new Uint8Array(9)) : writer.finish();
    expect(await late.catch((error: unknown) => error)).toMatchObject({ code: "TIMEOUT" });
    await writer.close();
  }
});
