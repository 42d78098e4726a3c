import { expect, test } from "bun:test";
import { blobIdFromNumber, limits } from "@dsm/protocol";
import fc from "fast-check";
import { decodeSidecar, encodeSidecar, pieceCount, pieceRange, PieceSummer } from "./piece-sums.ts";

const { pieceBytes } = limits;
const noise = crypto.getRandomValues(new Uint8Array(65_521));
const bytesOf = (sizeBytes: number) => new Uint8Array(Buffer.alloc(sizeBytes, noise));
const content = bytesOf(3 * pieceBytes + 17);

function sumsOf(bytes: Uint8Array, cuts: readonly number[] = []) {
  const summer = new PieceSummer();
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    summer.update(bytes.subarray(from, cut));
    from = cut;
  }
  return summer.finish();
}

const sizes = fc.oneof(
  fc.constantFrom(0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 2 * pieceBytes),
  fc.nat(content.length),
);

test("sums do not depend on how the bytes came in", () => {
  const cuts = fc.array(fc.nat(content.length), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, cuts, (sizeBytes, anywhere) => {
      const bytes = content.subarray(0, sizeBytes);
      const sums = sumsOf(
        bytes,
        anywhere.filter((cut) => cut < sizeBytes),
      );
      const expected = Array.from({ length: pieceCount(sizeBytes) }, (_, piece) => {
        const { start, endExclusive } = pieceRange(piece, sizeBytes);
        return Bun.hash.crc32(bytes.subarray(start, endExclusive));
      });
      expect([...sums]).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test("sums of many pieces are all kept", () => {
  const summer = new PieceSummer();
  const piece = new Uint8Array(pieceBytes);
  for (let i = 0; i < 70; i++) summer.update(piece);
  expect([...summer.finish()]).toEqual(Array(70).fill(Bun.hash.crc32(piece)));
});

const blob = { blobId: blobIdFromNumber(0xabcdef), sizeBytes: content.length };

test("a sidecar gives back its sums, to its own blob alone", () => {
  const sums = sumsOf(content);
  const sidecar = encodeSidecar(blob, sums);
  expect(decodeSidecar(blob, sidecar)).toEqual(sums);
  expect(decodeSidecar({ ...blob, blobId: blobIdFromNumber(7) }, sidecar)).toBeUndefined();
  expect(decodeSidecar({ ...blob, sizeBytes: blob.sizeBytes - 1 }, sidecar)).toBeUndefined();
});

test("a sidecar that lost or gained a byte, or in which one bit differs, is none", () => {
  const sidecar = encodeSidecar(blob, sumsOf(content));
  fc.assert(
    fc.property(fc.nat(sidecar.length - 1), fc.nat(7), (at, bit) => {
      const flipped = Uint8Array.from(sidecar);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      expect(decodeSidecar(blob, flipped)).toBeUndefined();
      expect(decodeSidecar(blob, sidecar.subarray(0, at))).toBeUndefined();
    }),
  );
  expect(decodeSidecar(blob, Buffer.concat([sidecar, sidecar.subarray(0, 1)]))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array(), (any) => decodeSidecar(blob, any) === undefined));
});
