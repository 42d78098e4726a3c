import { expect, test } from "bun:test";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobIdFromNumber, blobPath, type FileInfo, limits } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { pieceCount } from "../piece-sums.ts";
import { readBlob } from "./blob-reading.ts";
import { healPieces } from "./heal.ts";
import { verdictOf } from "./verdict.ts";

test("a byte past 2 GiB is found in its piece, and healed there", async () => {
  await using dir = await tempDir();
  const { pieceBytes } = limits;
  const blobId = blobIdFromNumber(1);
  const sizeBytes = 2 ** 31 + pieceBytes + 7;
  const path = join(dir.path, blobPath(blobId));
  await mkdir(dirname(path), { recursive: true });
  // Holes, which read as zeros and take no room.
  await using handle = await open(path, "w+");
  await handle.truncate(sizeBytes);
  const reading = { signal: new AbortController().signal, pace: async () => {} };
  const file = { blobId, sizeBytes } as FileInfo;
  const zeros = new Uint8Array(pieceBytes);
  const sums = new Uint32Array(pieceCount(sizeBytes)).fill(Bun.hash.crc32(zeros));
  sums[sums.length - 1] = Bun.hash.crc32(zeros.subarray(0, 7));
  const stored = { ...file, sha256: "of zeros alone" };

  await handle.write(Uint8Array.of(1), 0, 1, 2 ** 31 + 5);
  const bad = verdictOf(stored, await readBlob(dir.path, file, reading), sums);
  expect(bad).toEqual({ kind: "bad", pieces: [2048] });
  const source = {
    name: "zeros",
    read: async (start: number, end: number) => new Uint8Array(end - start),
  };
  const options = { root: dir.path, sources: [source], reading };
  expect(await healPieces(stored, [2048], sums, options)).toBe(1);
  const healed = new Uint8Array(1);
  await handle.read(healed, 0, 1, 2 ** 31 + 5);
  expect([healed[0], (await handle.stat()).size]).toEqual([0, sizeBytes]);
});
