import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type BlobId, blobIdFromNumber } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import fc from "fast-check";
import type { JournalRecord } from "./journal-record.ts";
import { RecordIndex } from "./record-index.ts";

function put(id: number, fileId: string, version = 1, sizeBytes = 0): JournalRecord {
  const sha256 = Bun.SHA256.hash(fileId, "hex");
  const blob = { blobId: blobIdFromNumber(id), sizeBytes, sha256, mediaType: "a/b" };
  const file = { user: "ann", fileId, group: "g1", version, modifiedAtMs: id, ...blob };
  return { kind: "put", file };
}

const abort = (id: number, version: number): JournalRecord => ({
  kind: "abort",
  id: blobIdFromNumber(id),
  version,
  atMs: 0,
});

describe("the index of records", () => {
  test("gives changes sorted by bytes, and ids with all that took them", async () => {
    await using dir = await tempDir();
    const change = fc.record({
      id: fc.integer({ min: 1, max: 30 }),
      fileId: fc.constantFrom("a", "B", "é", "z", "𝄞", "\uffee", "a/b", "a b"),
      version: fc.integer({ min: 1, max: 9 }),
      aborted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.uniqueArray(change, { selector: (it) => `${it.id} ${it.version}` }), (all) => {
        using index = new RecordIndex(dir.path);
        for (const { id, version, aborted } of all) if (aborted) index.add(abort(id, version), "s");
        for (const { id, fileId, version } of all) index.add(put(id, fileId, version), "s");
        const key = (it: { fileId: string; version: number; id: number | BlobId }) =>
          Buffer.from(`${it.fileId}\0${it.version}\0${String(it.id).padStart(16, "0")}`);
        const sorted = all
          .map((it) => ({ ...it, id: blobIdFromNumber(it.id) }))
          .toSorted((a, b) => Buffer.compare(key(a), key(b)));
        expect([...index.byFile()]).toMatchObject(sorted);
        const histories = [...index.byId()];
        const ids = [...new Set(all.map((it) => it.id))].toSorted((a, b) => a - b);
        expect(histories.map((it) => it.id)).toEqual(ids.map(blobIdFromNumber));
        expect(histories.flatMap((it) => it.changes)).toHaveLength(all.length);
        for (const { id, changes } of histories) {
          for (const { version, aborted } of changes) {
            expect(all).toContainEqual(
              expect.objectContaining({ id: Number.parseInt(id, 16), version, aborted }),
            );
          }
        }
        expect(index.maxId).toEqual(histories.at(-1)?.id);
        expect(index.changes).toBe(all.length);
      }),
    );
  });

  test("keeps every field of a change", async () => {
    using index = new RecordIndex();
    const replaces = blobIdFromNumber(1);
    const sha256 = Bun.SHA256.hash("x", "hex");
    const of = { user: "ann", fileId: "f", group: "g1" };
    const blob = { sizeBytes: 2 ** 50 + 1, sha256, mediaType: "video/mp4" };
    const file = { ...of, ...blob, blobId: blobIdFromNumber(2), version: 2 };
    index.add({ kind: "put", file: { ...file, modifiedAtMs: 7, expiresAtMs: 9 }, replaces }, "s");
    const gone = { ...of, id: blobIdFromNumber(3), version: 3, replaces: file.blobId, atMs: 8 };
    index.add({ kind: "delete", ...gone }, "s");
    index.noteOnDisk([[file.blobId, 12]]);
    const place = { life: 1, aborted: false };
    const nothing = { sizeBytes: 0, sha256: "", mediaType: "" };
    expect([...index.byFile()]).toEqual([
      {
        ...of,
        ...blob,
        ...place,
        seq: 1,
        id: file.blobId,
        version: 2,
        deleted: false,
        atMs: 7,
        expiresAtMs: 9,
        replaces,
        diskBytes: 12,
      },
      { ...gone, ...nothing, ...place, seq: 2, deleted: true },
    ]);
  });

  test("knows how long a life went on, and takes the user record updated last", () => {
    using index = new RecordIndex();
    for (let n = 1; n <= 3; n++) index.add(put(n, "a"), "s1/a");
    index.add({ ...abort(9, 9), atMs: 10 } as JournalRecord, "s1/a");
    index.add(put(4, "a"), "s1/b");
    expect([...index.byFile()].map((change) => index.wentOnMs(change))).toEqual([9, 8, 7, 0]);
    const user = (updatedAtMs: number, quotaBytes?: number): JournalRecord => ({
      kind: "user",
      name: "ann",
      group: `g${updatedAtMs}`,
      assignedAtMs: 1,
      updatedAtMs,
      ...(quotaBytes === undefined ? {} : { quotaBytes }),
    });
    for (const record of [user(1), user(5, 100), user(2)]) index.add(record, "s1/b");
    const row = { name: "ann", assignedAtMs: 1 };
    expect([...index.users()]).toEqual([{ ...row, group: "g5", quotaBytes: 100, updatedAtMs: 5 }]);
    index.add(user(6), "s1/b");
    expect([...index.users()]).toEqual([{ ...row, group: "g6", updatedAtMs: 6 }]);
  });

  test("a user without a record lives where the newest put is that was not aborted", () => {
    using index = new RecordIndex();
    const places: [id: number, group: string][] = [
      [1, "g1"],
      [2, "g2"],
      [3, "g3"],
    ];
    for (const [id, group] of places) {
      const record = put(id, "a", id);
      if (record.kind === "put") index.add({ ...record, file: { ...record.file, group } }, "s");
    }
    index.add(abort(3, 3), "s");
    const row = { name: "ann", group: "g2", assignedAtMs: 1, updatedAtMs: 1 };
    expect([...index.users()]).toEqual([row]);
  });

  test("pages of puts may be interleaved with notes, and pass over deletes and aborts", () => {
    using index = new RecordIndex();
    for (let n = 1; n <= 25_000; n++) index.add(put(n, `f${n}`), "s");
    index.add(abort(7, 1), "s");
    let seen = 0;
    for (const page of index.putsInPages(1_000)) {
      index.noteOnDisk(page.map((it) => [it.id, it.atMs]));
      seen += page.length;
    }
    expect(seen).toBe(24_999);
    for (const { diskBytes, atMs, aborted } of index.byFile()) {
      expect(diskBytes).toBe(aborted ? undefined : atMs);
    }
  });

  test("knows what put a blob out of use, also while another reading is under way", () => {
    using index = new RecordIndex();
    for (let n = 1; n <= 3; n++) index.add(put(n, `f${n}`), "s");
    const next = put(4, "f1", 2);
    index.add({ ...next, replaces: blobIdFromNumber(1) } as JournalRecord, "s");
    const replacing: Record<string, number[]> = {};
    for (const { id } of index.byId()) {
      replacing[id] = index.replacing(id).map(({ version }) => version);
    }
    const expected = [1, 2, 3, 4].map((n) => [blobIdFromNumber(n), n === 1 ? [2] : []]);
    expect(replacing).toEqual(Object.fromEntries(expected));
  });

  test("leaves nothing on the disk, not even while it is open", async () => {
    await using dir = await tempDir();
    using index = new RecordIndex(dir.path);
    for (let n = 1; n <= 20_000; n++) index.add(put(n, `f${n}`), "s");
    expect([...index.byId()]).toHaveLength(20_000);
    expect(await readdir(dir.path)).toEqual([]);
  });

  test("a folder that cannot be written is one clear error", async () => {
    await using dir = await tempDir();
    const make = () => new RecordIndex(join(dir.path, "absent"));
    expect(make).toThrow(expect.objectContaining({ code: "DATA_NOT_WRITABLE" }));
  });
});
