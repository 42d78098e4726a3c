import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm, stat } from "node:fs/promises";
import type { FileInfo } from "@dsm/protocol";
import { jsonOf, until } from "@dsm/testkit";
import { Bricks, flip, noise, pieceBytes, sha256Of } from "./bricks.ts";

const sizeBytes = 3 * pieceBytes + 5;

/** Where a byte goes bad, and which piece of the file that is. */
const places: Array<[string, number, string]> = [
  ["the first byte", 0, "0"],
  ["the last byte of a piece", pieceBytes - 1, "0"],
  ["the first byte of the next", pieceBytes, "1"],
  ["a byte in the middle", 2 * pieceBytes + 1234, "2"],
  ["the last byte", sizeBytes - 1, "3"],
];

describe("one flipped byte where no other copy is", () => {
  const stack = new AsyncDisposableStack();
  let bricks: Bricks;

  beforeAll(async () => {
    bricks = stack.use(await Bricks.start());
  });
  afterAll(() => stack.disposeAsync());

  test.each(places)("%s: found, marked, counted and never served", async (name, at, piece) => {
    const content = noise(sizeBytes);
    const file = await bricks.upload(`film ${name}`, content);
    await flip(bricks.blobOf(file), at);
    const { findings, done } = await bricks.scrub();
    expect(done.last).toMatchObject({ found: 1, healed: 0, missing: 0 });
    expect(findings).toContainEqual({
      user: "ann",
      fileId: file.fileId,
      blobId: file.blobId,
      sizeBytes,
      damage: piece,
      state: "live",
    });
    expect(await bricks.damageOf(file)).toBe(piece);
    await expectBrokenAt(bricks, file, Number(piece), content);
  });

  test("a small file is bad as a whole", async () => {
    const file = await bricks.upload("small", Buffer.from("five bytes and more"));
    await flip(bricks.blobOf(file), 7);
    const { done } = await bricks.scrub();
    expect(done.last).toMatchObject({ found: 1, healed: 0 });
    expect(await bricks.damageOf(file)).toBe("0");
    expect(await bricks.statusOf(bricks.first, file)).toBe(500);
  });

  test("without its checksums a file is bad as a whole", async () => {
    const file = await bricks.upload("no sums", noise(sizeBytes));
    await flip(bricks.blobOf(file), 2 * pieceBytes);
    await rm(bricks.sidecarOf(file));
    await bricks.scrub();
    expect(await bricks.damageOf(file)).toBe("*");
    const headers = { Range: "bytes=0-0" };
    expect(await bricks.statusOf(bricks.first, file, headers)).toBe(500);
  });

  test("so is one that was cut short, and a mark goes with the damage", async () => {
    const content = noise(sizeBytes);
    const file = await bricks.upload("cut", content);
    await Bun.write(bricks.blobOf(file), content.subarray(0, sizeBytes - 1));
    await bricks.scrub();
    expect(await bricks.damageOf(file)).toBe("*");
    await Bun.write(bricks.blobOf(file), content);
    const { mtimeMs } = await stat(bricks.blobOf(file));
    const { done } = await bricks.scrub();
    expect(done.last).toMatchObject({ found: 0, healed: 4 });
    // What is good here was written again, for it may be bad on another brick of a volume.
    expect((await stat(bricks.blobOf(file))).mtimeMs).toBeGreaterThan(mtimeMs);
    expect(await sha256Of(bricks.blobOf(file))).toBe(file.sha256);
    expect(await bricks.damageOf(file)).toBeUndefined();
    expect(await bricks.statusOf(bricks.first, file)).toBe(200);
  });

  test.each([0, 20, 44, -1])("byte %d of a sidecar harms no file, and is mended", async (at) => {
    const file = await bricks.upload(`sidecar ${at}`, noise(sizeBytes));
    const sidecar = bricks.sidecarOf(file);
    const before = await sha256Of(sidecar);
    await flip(sidecar, at < 0 ? (await stat(sidecar)).size + at : at);
    const { done } = await bricks.scrub();
    expect(done.last).toMatchObject({ found: 0, healed: 0 });
    expect(await bricks.damageOf(file)).toBeUndefined();
    expect(await sha256Of(sidecar)).toBe(before);
    await rm(sidecar);
    await bricks.scrub();
    expect(await sha256Of(sidecar)).toBe(before);
  });

  test("a blob that is missing is counted and left to fsck", async () => {
    const file = await bricks.upload("missing", noise(10));
    await rm(bricks.blobOf(file));
    expect((await bricks.scrub()).done.last).toMatchObject({ missing: 1, found: 0 });
    await bricks.client.delete({ user: "ann", fileId: "missing" });
    expect((await bricks.scrub()).done.last).toMatchObject({ missing: 0 });
  });

  test("metrics have counted it all", async () => {
    const text = await (await fetch(`${bricks.first.dataUrl}/metrics`)).text();
    const marked = await bricks.cluster.catalog.damaged({ group: "g1", limit: 100 });
    expect(text).toContain(`dsm_storage_damaged_files ${marked.length}`);
    expect(text).toContain("dsm_storage_scrub_bad_pieces_total 14");
    expect(text).toContain("dsm_storage_scrub_healed_pieces_total 4");
    expect(text).toMatch(/dsm_storage_scrub_missing_blobs_total 1$/m);
  });
});

describe("one flipped byte where another copy is", () => {
  const stack = new AsyncDisposableStack();
  let bricks: Bricks;
  let files: FileInfo[];

  beforeAll(async () => {
    bricks = stack.use(await Bricks.start());
    files = [];
    for (const [name] of places) files.push(await bricks.upload(name, noise(sizeBytes)));
    files.push(await bricks.upload("small", Buffer.from("small")));
    files.push(await bricks.upload("no sums", noise(sizeBytes)));
    await bricks.copy(2);
  });
  afterAll(() => stack.disposeAsync());

  test("it is healed from the other member, wherever it was", async () => {
    const [small, noSums] = files.slice(-2);
    if (small === undefined || noSums === undefined) throw new Error("not uploaded");
    for (const [index, [, at]] of places.entries()) {
      await flip(bricks.blobOf(files[index] as FileInfo), at);
    }
    await flip(bricks.blobOf(small), 1);
    await flip(bricks.blobOf(noSums), pieceBytes);
    await rm(bricks.sidecarOf(noSums));
    const { findings, done } = await bricks.scrub();
    expect(findings).toEqual([]);
    expect(done.last).toMatchObject({ found: 10, healed: 10, blobs: files.length });
    for (const file of files) {
      expect(await sha256Of(bricks.blobOf(file))).toBe(file.sha256);
      expect(await bricks.damageOf(file)).toBeUndefined();
      expect(await bricks.statusOf(bricks.first, file)).toBe(200);
      // Nor is it refused to whoever located it while it was marked.
      const marked = { ...file, damage: "0" };
      expect(await bricks.statusOf(bricks.first, marked)).toBe(200);
    }
  });
});

test("members heal what the other has good, and what is not proven is never written", async () => {
  await using bricks = await Bricks.start();
  const [a, b, c, d] = await Promise.all(
    ["a", "b", "c", "d"].map((name) => bricks.upload(name, noise(sizeBytes))),
  );
  if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error();
  const other = await bricks.copy(2);
  await flip(bricks.blobOf(a, 1), 5);
  await flip(bricks.blobOf(a, 2), pieceBytes + 5);
  // The same piece of both, so that there is no good copy: of a piece, and of a whole file.
  await flip(bricks.blobOf(b, 1), 5);
  await flip(bricks.blobOf(b, 2), 6);
  await flip(bricks.blobOf(c, 1), 5);
  await rm(bricks.sidecarOf(c, 1));
  await flip(bricks.blobOf(c, 2), 6);
  // Two pieces of one, of which the other has one.
  await flip(bricks.blobOf(d, 1), 5);
  await flip(bricks.blobOf(d, 1), 2 * pieceBytes);
  await flip(bricks.blobOf(d, 2), 5);
  const before = [await sha256Of(bricks.blobOf(b)), await sha256Of(bricks.blobOf(c))];
  const { findings, done } = await bricks.scrub();
  expect(done.last).toMatchObject({ found: 1 + 1 + 4 + 2, healed: 2 });
  const left = findings as unknown as Array<{ fileId: string; damage: string }>;
  expect(left.map(({ fileId, damage }) => `${fileId} ${damage}`).toSorted()).toEqual([
    "b 0",
    "c *",
    "d 0",
  ]);
  expect(await sha256Of(bricks.blobOf(a))).toBe(a.sha256);
  const after = [await sha256Of(bricks.blobOf(b)), await sha256Of(bricks.blobOf(c))];
  expect(after).toEqual(before);
  await bricks.scrub(other);
  expect(await sha256Of(bricks.blobOf(a, 2))).toBe(a.sha256);
});

test("a member that knows of the mark, and refuses readers, gives its bytes all the same", async () => {
  await using bricks = await Bricks.start();
  const file = await bricks.upload("film", noise(sizeBytes));
  const other = await bricks.copy(2);
  await flip(bricks.blobOf(file, 2), pieceBytes);
  await bricks.cluster.catalog.markDamage(file.blobId, "1");
  await until("it knows", async () => (await bricks.statusOf(bricks.first, file)) === 500);
  const { findings, done } = await bricks.scrub(other);
  expect(findings).toEqual([]);
  expect(done.last).toMatchObject({ found: 0, healed: 1 });
  expect(await sha256Of(bricks.blobOf(file, 2))).toBe(file.sha256);
});

test("a file is healed from another one with the same bytes, and from the trash", async () => {
  await using bricks = await Bricks.start();
  const [live, trashed] = [noise(sizeBytes), noise(sizeBytes)];
  const a = await bricks.upload("a", live);
  const b = await bricks.upload("b", live);
  const c = await bricks.upload("c", trashed);
  const d = await bricks.upload("d", trashed);
  await bricks.client.delete({ user: "ann", fileId: "d" });
  await flip(bricks.blobOf(a), 0);
  await flip(bricks.blobOf(b), pieceBytes);
  await flip(bricks.blobOf(c), sizeBytes - 1);
  const { findings, done } = await bricks.scrub();
  expect(findings).toEqual([]);
  expect(done.last).toMatchObject({ blobs: 4, found: 3, healed: 3 });
  for (const file of [a, b, c, d]) expect(await sha256Of(bricks.blobOf(file))).toBe(file.sha256);
});

test("a blob in the trash is looked at too, and healed from the live file", async () => {
  await using bricks = await Bricks.start();
  const content = noise(sizeBytes);
  const old = await bricks.upload("film", content);
  await bricks.upload("film", noise(100), true);
  await flip(bricks.blobOf(old), 0);
  const first = await bricks.scrub();
  expect(first.findings).toMatchObject([{ blobId: old.blobId, state: "trash", damage: "0" }]);
  await bricks.upload("copy", content);
  expect((await bricks.scrub()).findings).toEqual([]);
  expect(await sha256Of(bricks.blobOf(old))).toBe(old.sha256);
});

async function expectBrokenAt(
  bricks: Bricks,
  file: FileInfo,
  piece: number,
  content: Uint8Array,
): Promise<void> {
  const from = piece * pieceBytes;
  const to = Math.min(from + pieceBytes, sizeBytes);
  // With the version as it was located before the damage was found, and as it is now.
  const marked = { ...file, damage: String(piece) };
  for (const version of [file, marked]) {
    const whole = await bricks.read(bricks.first, version);
    expect([whole.status, (await jsonOf(whole)).code]).toEqual([500, "DATA_CORRUPT"]);
    expect(await bricks.statusOf(bricks.first, version, {}, "HEAD")).toBe(500);
    const touching = { Range: `bytes=${to - 1}-${to - 1}` };
    expect(await bricks.statusOf(bricks.first, version, touching)).toBe(500);
    for (const [start, end] of [
      [0, from],
      [to, sizeBytes],
    ] as const) {
      if (start >= end) continue;
      const part = await bricks.read(bricks.first, version, { Range: `bytes=${start}-${end - 1}` });
      expect(part.status).toBe(206);
      expect(Buffer.compare(await part.bytes(), content.subarray(start, end))).toBe(0);
    }
  }
}
