import { describe, expect, test } from "bun:test";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import fc from "fast-check";
import { backupFormat, type BackupRow } from "./format.ts";
import { BackupReader, type BackupSummary } from "./read-backup.ts";

const sha256 = Bun.SHA256.hash("bytes", "hex");
const file = { user: "ann", fileId: "a/é\u2028", version: 1, id: blobIdFromNumber(1), group: "g1" };
const user = { name: "ann", group: "g1", assignedAtMs: 1, quotaBytes: 9, updatedAtMs: 2 };
const rows: BackupRow[] = [
  { segment: { name: "blob", next: 1_025 } },
  { group: { name: "g1", id: "0f0e", createdAtMs: 1 } },
  { user },
  {
    version: { ...file, deleted: false, sizeBytes: 5, sha256, mediaType: "a/b", atMs: 3 },
  },
  {
    version: {
      ...file,
      version: 2,
      id: blobIdFromNumber(2),
      deleted: true,
      sizeBytes: 0,
      sha256: "",
      mediaType: "",
      atMs: 4,
      replaces: blobIdFromNumber(1),
      trashGroup: "g1",
    },
  },
];
const counts = { segments: 1, groups: 1, users: 1, versions: 2 };
const header = { dsmBackup: backupFormat, softwareVersion: "1.2.3", createdAtMs: 7 };

const linesOf = (values: readonly unknown[]) =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");

function backup(head: unknown = header, given: readonly unknown[] = rows, counted = counts) {
  const body = linesOf([head, ...given]);
  return body + linesOf([{ end: { ...counted, sha256: Bun.SHA256.hash(body, "hex") } }]);
}

function read(bytes: Buffer, chunkBytes = bytes.length + 1) {
  const reader = new BackupReader("b.ndjson");
  const all: BackupRow[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    all.push(...reader.rows(bytes.subarray(at, at + chunkBytes)));
  }
  return { rows: all, summary: reader.end() };
}

function refusal(text: string | Buffer): string {
  try {
    read(Buffer.from(text));
  } catch (error) {
    if (!(error instanceof DsmError)) throw error;
    expect(error.code).toBe("DATA_CORRUPT");
    return error.message;
  }
  throw new Error("it was taken");
}

describe("a backup that is read", () => {
  test("gives its rows and what it says of itself, however it is cut into chunks", () => {
    const bytes = Buffer.from(backup());
    const summary: BackupSummary = {
      ...counts,
      header,
      sha256: Bun.SHA256.hash(linesOf([header, ...rows]), "hex"),
    };
    for (const chunkBytes of [1, 7, 100, bytes.length]) {
      expect(read(bytes, chunkBytes)).toEqual({ rows, summary });
    }
  });

  test("is refused wherever it is cut", () => {
    const bytes = Buffer.from(backup());
    for (let length = 0; length < bytes.length; length++) {
      const why = length <= linesOf([header]).length - 1 ? "no backup of a dsm catalog" : "cut off";
      expect(refusal(bytes.subarray(0, length))).toContain(why);
    }
  });

  test("is refused whatever byte is changed", () => {
    const bytes = Buffer.from(backup());
    const change = fc.record({
      at: fc.nat(bytes.length - 1),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(change, ({ at, mask }) => {
        const bad = Buffer.from(bytes);
        bad[at] = (bad[at] ?? 0) ^ mask;
        expect(refusal(bad)).toContain("b.ndjson cannot be restored: ");
      }),
      { numRuns: 1_000 },
    );
  });

  test("is refused with the reason when it is something else, or more", () => {
    expect(refusal("")).toContain("no backup of a dsm catalog");
    expect(refusal("id,name\n1,ann\n")).toContain("no backup of a dsm catalog");
    expect(refusal(Buffer.alloc(100_000, 0x90))).toContain("no backup of a dsm catalog");
    expect(refusal(`${"x".repeat(100_000)}\n`)).toContain("no backup of a dsm catalog");
    expect(refusal(backup({ ...header, dsmBackup: 3 }))).toContain("has format 3 of dsm 1.2.3");
    expect(refusal(`${backup()}${linesOf([rows[1]])}`)).toContain("line 8 comes behind the end");
    expect(refusal(`${backup()}x`)).toContain("cut off behind line 7");
  });

  test("is refused when a row or a count is wrong, though its SHA-256 is right", () => {
    const bad = [{ user: { ...user, name: "../etc" } }, { version: { ...file } }, { odd: 1 }, 7];
    for (const row of bad) {
      expect(refusal(backup(header, [row], { ...counts, segments: 0, versions: 0 }))).toContain(
        "line 2 is no row of a catalog",
      );
    }
    expect(refusal(backup(header, rows, { ...counts, users: 2 }))).toContain(
      "line 7 counts 2 users, and there are 1",
    );
  });
});
