import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobIdFromNumber, blobPath, DsmError, piecesPath } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { BlobStore } from "./blob-store.ts";
import type { BlobSync } from "./blob-writer.ts";
import { mountMissing, SmallDisk } from "./testing/small-disk.ts";

const id = blobIdFromNumber(7);
const byGroup: BlobSync = { blobsSyncThemselves: false, blobSyncEveryBytes: undefined };
const byItself: BlobSync = { blobsSyncThemselves: true, blobSyncEveryBytes: 64 * 1024 };

async function filesIn(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function errorOf(work: Promise<unknown>): Promise<DsmError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof DsmError) return thrown;
  throw new Error(`expected a DsmError and got ${String(thrown)}`);
}

describe.each([
  ["synced with its group", byGroup],
  ["that syncs itself", byItself],
])("a blob %s", (_name, sync) => {
  test("is whole at the path of its id, beside its sidecar, and goes with it", async () => {
    await using dir = await tempDir();
    const blobs = new BlobStore(dir.path, sync);
    const chunk = crypto.getRandomValues(new Uint8Array(50_000));
    const writer = await blobs.create(id);
    for (let n = 0; n < 5; n++) await writer.write(chunk);
    await writer.finish(new Uint8Array([1, 2, 3]));
    const stored = await Bun.file(join(dir.path, blobPath(id))).bytes();
    expect(Buffer.compare(stored, Buffer.concat(Array<Uint8Array>(5).fill(chunk)))).toBe(0);
    const pieces = await Bun.file(join(dir.path, piecesPath(id))).bytes();
    expect([...pieces]).toEqual([1, 2, 3]);
    await blobs.remove(id);
    expect(await filesIn(dir.path)).toEqual([]);
    await blobs.remove(id);
  });

  test("is never written over another one, which stays as it is", async () => {
    await using dir = await tempDir();
    const blobs = new BlobStore(dir.path, sync);
    await blobs.write(id, Buffer.from("first"));
    expect((await errorOf(blobs.write(id, Buffer.from("second")))).code).toBe("STORAGE_FAILED");
    expect((await errorOf(blobs.create(id))).code).toBe("STORAGE_FAILED");
    expect(await Bun.file(join(dir.path, blobPath(id))).text()).toBe("first");
  });
});

describe("what cannot be removed", () => {
  test("is told of beside the first error, and removed as soon as that can be", async () => {
    await using dir = await tempDir();
    const blobs = new BlobStore(dir.path, byGroup, 20);
    // unlink(2) takes no directory, not even from root. In its place there is a file all at once.
    const [, ...below] = blobPath(id).split("/");
    const [directory, file] = ["one", "two"].map((name) => join(dir.path, name, ...below));
    await mkdir(directory!, { recursive: true });
    await mkdir(dirname(file!), { recursive: true });
    await writeFile(file!, "left");
    await symlink("one", join(dir.path, "blobs"));
    await symlink("two", join(dir.path, "next"));
    const first = new DsmError("UPLOAD_INCOMPLETE", "the upload was cut short");
    const told = await blobs.discard(id, first);
    expect(told).toMatchObject({ code: "UPLOAD_INCOMPLETE" });
    expect((told as DsmError).message).toMatch(
      /^the upload was cut short; and blobs.*cannot be re/,
    );
    await rename(join(dir.path, "next"), join(dir.path, "blobs"));
    await until("it is gone", () => !existsSync(file!));
  });
});

const missing = mountMissing();

describe.skipIf(missing !== undefined)(`a full disk${missing ? ` (${missing})` : ""}`, () => {
  test("is 507 with the reason, and leaves no byte of the blob", async () => {
    await using disk = await SmallDisk.mount(1024 * 1024);
    const blobs = new BlobStore(disk.path, byItself);
    const tooMuch = new Uint8Array(2 * 1024 * 1024);
    const atOnce = await errorOf(blobs.write(id, tooMuch));
    expect([atOnce.code, atOnce.http]).toEqual(["STORAGE_FULL", 507]);
    expect(atOnce.message).toContain("ENOSPC");
    const writer = await blobs.create(id);
    const streamed = await errorOf(writer.write(tooMuch));
    expect(streamed.code).toBe("STORAGE_FULL");
    await writer.close();
    expect(await blobs.discard(id, streamed)).toBe(streamed);
    expect(await filesIn(disk.path)).toEqual([]);
    await blobs.write(id, new Uint8Array(1024));
    expect(await filesIn(dirname(join(disk.path, blobPath(id))))).toEqual([id]);
  });
});
