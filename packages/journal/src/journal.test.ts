import { describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { FaultyFs, faultyFsMissing, tempDir } from "@dsm/testkit";
import fc from "fast-check";
import { Journal } from "./journal.ts";
import { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts";
import { readRecords } from "./reader.ts";

const recordArbitrary: fc.Arbitrary<JournalRecord> = fc
  .record({
    id: fc.integer({ min: 1 }).map(blobIdFromNumber),
    fileId: fc.string({ minLength: 1, maxLength: 60, unit: "binary" }),
    version: fc.integer({ min: 1, max: 1e6 }),
    atMs: fc.nat(),
    kind: fc.constantFrom("put", "delete", "abort"),
  })
  .filter(({ fileId }) => !/\p{Cc}|\/|^\.{1,2}$/u.test(fileId) && fileId.isWellFormed())
  .map(({ id, fileId, version, atMs, kind }): JournalRecord => {
    if (kind === "abort") return { kind, id, version, atMs };
    const named = { user: "ann", fileId, group: "g1", version };
    if (kind === "delete") return { kind, ...named, id, replaces: id, atMs };
    const sha256 = Bun.SHA256.hash(fileId, "hex");
    const file = { blobId: id, sizeBytes: 1, sha256, mediaType: "a/b", modifiedAtMs: atMs };
    return { kind: "put", file: { ...named, ...file } };
  });

describe("journal records", () => {
  test("come back as they were written", () =>
    fc.assert(
      fc.property(recordArbitrary, (record) => {
        const line = encodeRecord(record);
        expect(line.endsWith("\n") && !line.slice(0, -1).includes("\n")).toBe(true);
        expect(decodeRecord(line.slice(0, -1))).toEqual(record);
      }),
    ));

  test("a line that was cut short or changed is no record and never an exception", () =>
    fc.assert(
      fc.property(recordArbitrary, fc.nat(), fc.nat(255), (record, at, byte) => {
        const line = encodeRecord(record).slice(0, -1);
        expect(decodeRecord(line.slice(0, at % line.length))).toBeUndefined();
        const changed = Buffer.from(line);
        const position = at % changed.length;
        if (changed[position] === byte) return;
        changed[position] = byte;
        expect(decodeRecord(changed.toString())).toBeUndefined();
      }),
    ));
});

describe("Journal", () => {
  test("each life has a file of its own, and appends are whole lines in order", async () => {
    await using dir = await tempDir();
    const record = (n: number): JournalRecord => ({
      kind: "abort",
      id: blobIdFromNumber(n),
      version: 1,
      atMs: n,
    });
    for (const life of ["a", "b"]) {
      await using journal = await Journal.open(dir.path, "s1", life);
      await journal.append([record(1), record(2)]);
      await journal.append([record(3)]);
    }
    const folder = join(dir.path, "journal", "s1");
    const files = await readdir(folder);
    const read = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
    const records = read.map((text) => text.trimEnd().split("\n").map(decodeRecord));
    expect(records).toEqual([
      [record(1), record(2), record(3)],
      [record(1), record(2), record(3)],
    ]);
  });

  test("once closed it takes nothing more, and opens no file behind its back", async () => {
    await using dir = await tempDir();
    const journal = await Journal.open(dir.path, "s1", "a");
    const record: JournalRecord = { kind: "abort", id: blobIdFromNumber(1), version: 1, atMs: 0 };
    const underWay = journal.append([record]);
    await journal[Symbol.asyncDispose]();
    await underWay;
    const refused = await journal.append([record]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "DRAINING" });
    const folder = join(dir.path, "journal", "s1");
    const [only, ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect(await readFile(join(folder, only ?? ""), "utf8")).toBe(encodeRecord(record));
  });

  test("a folder that cannot be written is one clear error", async () => {
    await using dir = await tempDir();
    await Bun.write(join(dir.path, "journal"), "a file where a folder should be");
    const failed = await Journal.open(dir.path, "s1", "a").catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DsmError);
    expect((failed as DsmError).code).toBe("DATA_NOT_WRITABLE");
  });
});

describe("a journal that grows", () => {
  const record = (n: number): JournalRecord => ({
    kind: "abort",
    id: blobIdFromNumber(n),
    version: 1,
    atMs: n,
  });

  test("goes on in a new part when one is full, and every record is found again", async () => {
    await using dir = await tempDir();
    const count = 120;
    {
      await using journal = await Journal.open(dir.path, "s1", "a", { partMaxBytes: 500 });
      // Some at once, some one after another: calls may overlap.
      await Promise.all(
        Array.from({ length: count / 2 }, (_, n) => journal.append([record(n + 1)])),
      );
      for (let n = count / 2; n < count; n++) {
        await journal.write([record(n + 1)]);
        await journal.sync();
      }
    }
    const parts = (await readdir(join(dir.path, "journal", "s1"))).toSorted();
    expect(parts.length).toBeGreaterThan(10);
    const lines = await Array.fromAsync(readRecords(dir.path));
    expect(lines.map((line) => "record" in line && line.record)).toEqual(
      Array.from({ length: count }, (_, n) => record(n + 1)),
    );
    const sizes = await Promise.all(
      parts.map(async (name) => (await readFile(join(dir.path, "journal", "s1", name))).length),
    );
    expect(Math.max(...sizes)).toBeLessThan(600);
  });

  test("after a part was given up a new one is begun, behind nothing that is in doubt", async () => {
    await using dir = await tempDir();
    await using journal = await Journal.open(dir.path, "s1", "a");
    await journal.write([record(1)]);
    await journal.giveUpPart();
    await journal.append([record(2)]);
    const [first, second] = (await readdir(join(dir.path, "journal", "s1"))).toSorted();
    const text = (name = "") => readFile(join(dir.path, "journal", "s1", name), "utf8");
    expect([await text(first), await text(second)]).toEqual([
      encodeRecord(record(1)),
      encodeRecord(record(2)),
    ]);
  });

  test("a sync does not vouch for a part that was given up before it", async () => {
    await using dir = await tempDir();
    await using journal = await Journal.open(dir.path, "s1", "a");
    await journal.write([record(1)]);
    // What cannot be written stands for a disk that refuses it.
    const unwritable = { ...record(2), atMs: 1n } as unknown as JournalRecord;
    const failed = await journal.append([unwritable]).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "STORAGE_FAILED" });
    const unproven = await journal.sync().catch((error: unknown) => error);
    expect(unproven).toMatchObject({ code: "STORAGE_FAILED" });
    await journal.write([record(3)]);
    await journal.sync();
  });

  const noFuse = faultyFsMissing === undefined ? "" : ` (${faultyFsMissing})`;

  test.skipIf(faultyFsMissing !== undefined)(
    `a sync that failed is told once, to all whom it concerns${noFuse}`,
    async () => {
      await using fs = await FaultyFs.mount();
      await using journal = await Journal.open(fs.path, "s1", "a");
      const fsyncFails = () => fs.inject({ op: "fsync", error: "EIO", times: 1 });
      const failure = { code: "STORAGE_FAILED" };
      await journal.write([record(1)]);
      await fsyncFails();
      expect(await journal.sync().catch((error: unknown) => error)).toMatchObject(failure);
      await journal.write([record(2)]);
      await journal.sync();
      // Of one who writes and syncs at once the others hear nothing, if they had written nothing,
      await fsyncFails();
      const alone = journal.append([record(3)]);
      expect(await alone.catch((error: unknown) => error)).toMatchObject(failure);
      await journal.write([record(4)]);
      await journal.sync();
      // and else the failure is theirs as well.
      await journal.write([record(5)]);
      await fsyncFails();
      const first = journal.append([record(6)]);
      expect(await first.catch((error: unknown) => error)).toMatchObject(failure);
      expect(await journal.sync().catch((error: unknown) => error)).toMatchObject(failure);
      await journal.sync();
    },
  );
});
