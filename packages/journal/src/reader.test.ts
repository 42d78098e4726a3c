import { describe, expect, test } from "bun:test";
import { appendFile, mkdir, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobIdFromNumber, limits } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import fc from "fast-check";
import { Journal } from "./journal.ts";
import { encodeRecord, type JournalRecord } from "./journal-record.ts";
import { journalParts } from "./parts.ts";
import { type JournalLine, readRecords } from "./reader.ts";

function put(n: number, fileId = `film ${n}`): JournalRecord {
  const blobId = blobIdFromNumber(n);
  const sha256 = Bun.SHA256.hash(fileId, "hex");
  const file = { blobId, sizeBytes: n, sha256, mediaType: "a/b", modifiedAtMs: n };
  return { kind: "put", file: { user: "ann", fileId, group: "g1", version: 1, ...file } };
}

async function lay(root: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function all(root: string): Promise<JournalLine[]> {
  return Array.fromAsync(readRecords(root));
}

const recordsOf = (lines: JournalLine[]) =>
  lines.flatMap((line) => ("record" in line ? [line.record] : []));
const damageOf = (lines: JournalLine[]) =>
  lines.flatMap((line) => ("damage" in line ? [`${line.path}:${line.line} ${line.damage}`] : []));

const path = "journal/s1/20261123T000000000Z-a-0.log";

describe("the reader of journals", () => {
  test("gives what the journals of all storages and lives were given", async () => {
    await using dir = await tempDir();
    const expected: JournalRecord[] = [];
    for (const [i, storage] of ["s1", "s2"].entries()) {
      for (const life of ["a", "b"]) {
        await using journal = await Journal.open(dir.path, storage, life);
        const records = [put(10 * i + 1), put(10 * i + 2, "ein Übermaß\u2028von Zeilen")];
        await journal.append(records);
        expected.push(...records);
      }
    }
    const lines = await all(dir.path);
    expect(recordsOf(lines)).toEqual(expected);
    expect(damageOf(lines)).toEqual([]);
    expect(await journalParts(dir.path, "s2")).toHaveLength(2);
  });

  test("a group without journals has no records", async () => {
    await using dir = await tempDir();
    expect(await all(dir.path)).toEqual([]);
    await writeFile(join(dir.path, "journal"), "a file");
    expect(await all(dir.path)).toEqual([]);
  });

  test("wherever a crash cuts the last part, whole lines count and nothing is damaged", async () => {
    await using dir = await tempDir();
    const records = [put(1), put(2), put(3)];
    const lengths = records.map((record) => Buffer.byteLength(encodeRecord(record)));
    const total = lengths.reduce((a, b) => a + b);
    await lay(dir.path, path, records.map(encodeRecord).join(""));
    for (let size = total; size >= 0; size--) {
      await truncate(join(dir.path, path), size);
      const lines = await all(dir.path);
      let whole = 0;
      // A line that lacks nothing but its end is whole.
      for (let left = size + 1; left >= (lengths[whole] ?? Infinity); whole++) {
        left -= lengths[whole] ?? 0;
      }
      expect(recordsOf(lines)).toEqual(records.slice(0, whole));
      expect(damageOf(lines)).toEqual([]);
    }
  });

  test("no flipped byte is passed over in silence, and it costs two records at most", async () => {
    await using dir = await tempDir();
    const records = [put(1), put(2), put(3), put(4)];
    const good = Buffer.from(records.map(encodeRecord).join(""));
    const bytes = fc.record({
      at: fc.nat(good.length - 1),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(bytes, async ({ at, mask }) => {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ mask;
        await lay(dir.path, path, bad);
        const lines = await all(dir.path);
        expect(damageOf(lines).length).toBeGreaterThan(0);
        const left = recordsOf(lines);
        expect(left.length).toBeGreaterThanOrEqual(2);
        for (const record of left) expect(records).toContainEqual(record);
      }),
    );
  });

  test("damage is told of with its file, line and reason, and what follows is read", async () => {
    await using dir = await tempDir();
    const [first, last] = [encodeRecord(put(1)), encodeRecord(put(2))];
    const flipped = encodeRecord(put(3)).replace("ann", "eve");
    const noJson = `00000000 \n`;
    const zeros = `${"\0".repeat(40)}${last}`;
    await lay(dir.path, path, `${first}${flipped}\n${noJson}${zeros}${last}`);
    const lines = await all(dir.path);
    expect(recordsOf(lines)).toEqual([put(1), put(2)]);
    expect(damageOf(lines)).toEqual([
      `${path}:2 its checksum or its form is wrong`,
      `${path}:3 it does not begin as a record does`,
      `${path}:4 it does not begin as a record does`,
      `${path}:5 it holds zeros, which a disk leaves that lost what was written`,
    ]);
  });

  test("zeros that a power cut leaves at the end are no damage, however many", async () => {
    await using dir = await tempDir();
    const begun = encodeRecord(put(2)).slice(0, 30);
    await lay(dir.path, path, `${encodeRecord(put(1))}${begun}${"\0".repeat(1_000_000)}`);
    const lines = await all(dir.path);
    expect(recordsOf(lines)).toEqual([put(1)]);
    expect(damageOf(lines)).toEqual([]);
  });

  test("a line without end is bounded: it costs no memory and not what follows", async () => {
    await using dir = await tempDir();
    const endless = 64 * 1024 * 1024;
    await lay(dir.path, path, encodeRecord(put(1)));
    for (let written = 0; written < endless; written += 1024 * 1024) {
      await appendFile(join(dir.path, path), "x".repeat(1024 * 1024));
    }
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    expect(damageOf(await all(dir.path))).toEqual([
      `${path}:2 it has more than ${limits.journalRecordMaxBytes} bytes`,
    ]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(endless / 2);
    await appendFile(join(dir.path, path), `\n${encodeRecord(put(2))}`);
    expect(recordsOf(await all(dir.path))).toEqual([put(1), put(2)]);
  });

  test("a part that cannot be read is damage of that part alone", async () => {
    await using dir = await tempDir();
    await lay(dir.path, path, encodeRecord(put(1)));
    // A folder opens and then fails to be read, as a file on a failing disk does.
    await mkdir(join(dir.path, "journal/s0/20261123T000000000Z-a-0.log"), { recursive: true });
    const lines = await all(dir.path);
    expect(recordsOf(lines)).toEqual([put(1)]);
    expect(damageOf(lines)).toEqual([
      "journal/s0/20261123T000000000Z-a-0.log:0 what follows cannot be read: EISDIR",
    ]);
  });
});
