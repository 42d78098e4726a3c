import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { blobPath, DsmError } from "@dsm/protocol";
import { WriteBench } from "./testing/write-bench.ts";

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

describe("FileWrites", () => {
  test("the bytes lie at the path of the id, hashed, and the row is there", async () => {
    await using bench = await WriteBench.open();
    const { file, created } = await bench.put("a", "hello world");
    expect(created).toBe(true);
    expect(file.sha256).toBe(Bun.SHA256.hash("hello world", "hex"));
    expect(await Bun.file(join(bench.root, blobPath(file.blobId))).text()).toBe("hello world");
    expect(await bench.catalog.current("ann", "a")).toEqual({ version: 1, file });
    expect(await bench.journal()).toEqual([{ kind: "put", file }]);
  });

  test("whatever cuts an upload short leaves no blob, no row and no journal record", async () => {
    await using bench = await WriteBench.open();
    async function* vanishing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1000);
      throw new Error("the client is gone");
    }
    const codes = [
      await codeOf(bench.put("a", "", { body: vanishing() })),
      await codeOf(bench.put("a", "four", { announcedBytes: 5 })),
      await codeOf(bench.put("a", "four", { sha256: "0".repeat(64) })),
    ];
    expect(codes).toEqual(["UPLOAD_INCOMPLETE", "UPLOAD_INCOMPLETE", "DIGEST_MISMATCH"]);
    expect(await bench.blobFiles()).toEqual([]);
    expect(await bench.catalog.current("ann", "a")).toBeUndefined();
    expect(await bench.journal()).toEqual([undefined]);
  });

  test("writers of the same file at the same moment get versions in a row", async () => {
    await using bench = await WriteBench.open();
    const done = await Promise.all(
      Array.from({ length: 12 }, (_, i) => bench.put("same", `content ${i}`)),
    );
    const versions = done.map(({ file }) => file.version).toSorted((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const records = await bench.journal();
    const key = (id?: string, version?: number) => `${id} ${version}`;
    const closed = new Set(records.map((r) => (r?.kind === "abort" ? key(r.id, r.version) : "")));
    const open = records.flatMap((r) => (r?.kind === "put" ? [r.file] : []));
    const left = open.filter((file) => !closed.has(key(file.blobId, file.version)));
    expect(left).toEqual(done.map(({ file }) => file).toSorted((a, b) => a.version - b.version));
  });

  test("a delete puts the blob into the trash, and the reaper gives its space back", async () => {
    await using bench = await WriteBench.open();
    await bench.put("a", "one");
    await bench.put("a", "two");
    const { file: other } = await bench.put("b", "stays");
    await bench.delete("a");
    expect(await codeOf(bench.delete("a"))).toBe("FILE_NOT_FOUND");
    expect((await bench.blobFiles()).length).toBe(3);
    await using reaper = bench.reaper();
    expect(await reaper.reap()).toEqual({ expired: 0, blobs: 2, bytes: 6 });
    expect(await bench.blobFiles()).toEqual([other.blobId]);
    expect(await reaper.reap()).toEqual({ expired: 0, blobs: 0, bytes: 0 });
    expect((await bench.put("a", "again")).file.version).toBe(4);
  });
});
