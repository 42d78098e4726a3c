import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { blobIdFromNumber, blobIdToNumber, blobPath, isBlobId } from "./blob-id.ts";
import { limits } from "./limits.ts";

const numbers = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  // Around the edges of the levels.
  fc
    .tuple(fc.constantFrom(10, 20, 30, 40, 52), fc.integer({ min: -2, max: 2 }))
    .map(([shift, off]) => 2 ** shift + off),
);
const pathOf = (n: number) => blobPath(blobIdFromNumber(n));
const directoryOf = (n: number) => pathOf(n).slice(0, -17);
const slotOf = (n: number) => Math.floor(n / limits.blobsPerDirectoryMax);

/** How many entries 5,000 ids, `step` apart, make at one level of a path. */
function entries(level: number, step: number): number {
  const ids = Array.from({ length: 5000 }, (_, i) => 2 ** 40 + i * step);
  return new Set(ids.map((n) => pathOf(n).split("/")[level])).size;
}

describe("blob ids", () => {
  test("are 16 hex digits in the order of their numbers", () =>
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [idA, idB] = [blobIdFromNumber(a), blobIdFromNumber(b)];
        expect([isBlobId(idA), blobIdToNumber(idA)]).toEqual([true, a]);
        expect(idA < idB).toBe(a < b);
      }),
    ));

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])("%d is none", (n) => {
    expect(() => blobIdFromNumber(n)).toThrow(RangeError);
  });

  test.each(["", "1", "000000000000000G", "000000000000000A", "0".repeat(17), "0".repeat(15)])(
    "%j is none",
    (text) => {
      expect(isBlobId(text)).toBe(false);
    },
  );

  test("no text but 16 lowercase hex digits is one", () => {
    expect([isBlobId(`${"0".repeat(16)}\n`), isBlobId(` ${"0".repeat(16)}`)]).toEqual([
      false,
      false,
    ]);
  });
});

describe("the path of a blob", () => {
  test.each([
    [1, "blobs/000000000/000/000/0000000000000001"],
    [1023, "blobs/000000000/000/000/00000000000003ff"],
    [1024, "blobs/000000000/000/001/0000000000000400"],
    [2 ** 20 - 1, "blobs/000000000/000/3ff/00000000000fffff"],
    [2 ** 20, "blobs/000000000/001/000/0000000000100000"],
    [2 ** 30, "blobs/000000001/000/000/0000000040000000"],
    [Number.MAX_SAFE_INTEGER, "blobs/0007fffff/3ff/3ff/001fffffffffffff"],
  ])("of %i", (n, path) => {
    expect(pathOf(n)).toBe(path);
  });

  test("is in the order of the ids, and distinct for distinct ids", () =>
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        expect(pathOf(a) < pathOf(b)).toBe(a < b);
        expect(pathOf(a) === pathOf(b)).toBe(a === b);
      }),
    ));

  test("shares its directory with at most 1023 others, and only with neighbours", () =>
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        expect(directoryOf(a) === directoryOf(b)).toBe(slotOf(a) === slotOf(b));
      }),
    ));

  test("has at most 1024 entries at each level below the top", () => {
    expect([entries(3, 2 ** 10), entries(2, 2 ** 20)]).toEqual([1024, 1024]);
  });
});
