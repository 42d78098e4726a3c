import { describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import fc from "fast-check";
import { Journal } from "./journal.ts";
import { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts";

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
