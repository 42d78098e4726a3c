import { describe, expect, test } from "bun:test";
import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, blobPath, DsmError, limits, piecesPath } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { readSidecar } from "./scrub/sidecar-file.ts";
import { WriteBench } from "./testing/write-bench.ts";

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error instanceof DsmError ? error.code : String(error)),
  );
}

function restore(bench: WriteBench, blobId: BlobId, fileId: string, over: object = {}) {
  return bench.trash.restore({ user: "ann", fileId, blobId, check: () => {}, ...over });
}

const textOf = (bench: WriteBench, id: BlobId) => Bun.file(join(bench.root, blobPath(id))).text();

describe("a restore", () => {
  test("gives the same bytes a new name and version, which stay when the old ones are reaped", async () => {
    await using bench = await WriteBench.open();
    const { file: old } = await bench.put("a", "the bytes");
    await bench.delete("a");
    const { file, created } = await restore(bench, old.blobId, "a");
    expect(created).toBe(true);
    expect(file).toEqual({
      ...old,
      blobId: file.blobId,
      version: 3,
      modifiedAtMs: file.modifiedAtMs,
    });
    const [before, after] = await Promise.all(
      [old, file].map(({ blobId }) => stat(join(bench.root, blobPath(blobId)))),
    );
    expect(after!.ino).toBe(before!.ino);
    expect(await bench.journal()).toContainEqual({ kind: "put", file });
    await using reaper = bench.reaper();
    expect((await reaper.reap()).blobs).toBe(1);
    expect(await bench.blobFiles()).toEqual([file.blobId]);
    expect(await textOf(bench, file.blobId)).toBe("the bytes");
    const space = { liveFiles: 1, liveBytes: 9, trashBlobs: 0, trashBytes: 0 };
    expect(await bench.catalog.usageOfGroup("g1")).toEqual(space);
  });

  test("of a blob with pieces has their checksums under its own name", async () => {
    await using bench = await WriteBench.open();
    const bytes = new Uint8Array(limits.pieceBytes + 5).fill(7);
    const body = async function* () {
      yield bytes;
    };
    const { file: old } = await bench.put("a", "", { body: body() });
    await bench.delete("a");
    const { file } = await restore(bench, old.blobId, "b");
    const sums = await readSidecar(bench.root, file);
    expect(sums).toBeInstanceOf(Uint32Array);
    await using reaper = bench.reaper();
    await reaper.reap();
    expect(await readSidecar(bench.root, file)).toEqual(sums);
    expect(await Bun.file(join(bench.root, piecesPath(old.blobId))).exists()).toBe(false);
  });

  test("keeps an expiry that is ahead, and drops one that has passed", async () => {
    await using bench = await WriteBench.open();
    const { file: ahead } = await bench.put("a", "x", { ttlMs: 3_600_000 });
    await bench.delete("a");
    const { file: again } = await restore(bench, ahead.blobId, "a");
    expect([again.expiresAtMs, again.version]).toEqual([ahead.expiresAtMs, 3]);
    const { file: passed } = await bench.put("b", "x", { ttlMs: limits.ttlMinMs });
    await bench.put("b", "y");
    await until("it has expired", () => Promise.resolve(Date.now() >= passed.expiresAtMs!));
    const { file } = await restore(bench, passed.blobId, "b");
    expect(file.expiresAtMs).toBeUndefined();
    const timed = await restore(bench, passed.blobId, "c", { ttlMs: 60_000 });
    expect(timed.file.expiresAtMs).toBe(timed.file.modifiedAtMs + 60_000);
  });

  test("is of what lies in the trash of that user, and leaves nothing when it is refused", async () => {
    await using bench = await WriteBench.open();
    const { file: live } = await bench.put("live", "live");
    const { file: old } = await bench.put("a", "old");
    await bench.put("a", "new");
    const codes = [
      await codeOf(restore(bench, live.blobId, "b")),
      await codeOf(restore(bench, "00000000000fffff" as BlobId, "b")),
      await codeOf(restore(bench, old.blobId, "b", { user: "bob" })),
    ];
    expect(codes).toEqual(["FILE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_NOT_FOUND"]);
    const taken = () => {
      throw new DsmError("FILE_EXISTS", "it exists");
    };
    expect(await codeOf(restore(bench, old.blobId, "a", { check: taken }))).toBe("FILE_EXISTS");
    await bench.catalog.assignGroup("ann", "g1", 1);
    await bench.catalog.setQuota("ann", 8, 2);
    expect(await codeOf(restore(bench, old.blobId, "b"))).toBe("QUOTA_EXCEEDED");
    // The catalog still has it, and its bytes are gone.
    await unlink(join(bench.root, blobPath(old.blobId)));
    expect(await codeOf(restore(bench, old.blobId, "b"))).toBe("FILE_NOT_FOUND");
    expect((await bench.blobFiles()).length).toBe(2);
  });
});

describe("emptying the trash", () => {
  test("unlinks the named versions of one file, the oldest first, and nothing that is live", async () => {
    await using bench = await WriteBench.open();
    const put: BlobId[] = [];
    for (const text of ["1", "22", "333", "4444"]) {
      put.push((await bench.put("a", text)).file.blobId);
    }
    const { file: other } = await bench.put("b", "other");
    await bench.delete("b");
    const emptied = await bench.trash.empty("ann", "a", [...put.toReversed(), other.blobId]);
    expect(emptied).toEqual({ blobs: 3, bytes: 6, kept: 0 });
    expect((await bench.blobFiles()).toSorted()).toEqual([put[3]!, other.blobId].toSorted());
    expect(await bench.catalog.usageOfGroup("g1")).toEqual({
      liveFiles: 1,
      liveBytes: 4,
      trashBlobs: 1,
      trashBytes: 5,
    });
    expect(await bench.trash.empty("ann", "a", put)).toEqual({ blobs: 0, bytes: 0, kept: 0 });
    expect(await bench.trash.empty("bob", "b", [other.blobId])).toMatchObject({ blobs: 0 });
  });

  test("keeps a version as long as an older one of the file is in the trash, and says so", async () => {
    await using bench = await WriteBench.open();
    const { file: first } = await bench.put("a", "1");
    const { file: second } = await bench.put("a", "22");
    await bench.delete("a");
    const alone = await bench.trash.empty("ann", "a", [second.blobId]);
    expect(alone).toEqual({ blobs: 0, bytes: 0, kept: 1 });
    expect(await textOf(bench, second.blobId)).toBe("22");
    const both = await bench.trash.empty("ann", "a", [second.blobId, first.blobId]);
    expect(both).toEqual({ blobs: 2, bytes: 3, kept: 0 });
    expect(await bench.blobFiles()).toEqual([]);
    expect(await bench.catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("does not take the bytes of a file that was restored", async () => {
    await using bench = await WriteBench.open();
    const { file: old } = await bench.put("a", "the bytes");
    await bench.delete("a");
    const { file } = await restore(bench, old.blobId, "a");
    expect((await bench.trash.empty("ann", "a", [old.blobId])).blobs).toBe(1);
    expect(await textOf(bench, file.blobId)).toBe("the bytes");
  });
});
