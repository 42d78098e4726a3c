import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { damagedPieces, damageSchema, firstDamagedByte, writeDamage } from "./damage.ts";
import { limits } from "./limits.ts";

const { pieceBytes } = limits;
const anyPieces = fc
  .uniqueArray(fc.nat({ max: 40 }), { minLength: 1, maxLength: 20 })
  .map((pieces) => pieces.toSorted((a, b) => a - b));

describe("damage", () => {
  test("neighbours are written as a range", () => {
    expect(writeDamage([3])).toBe("3");
    expect(writeDamage([3, 4])).toBe("3-4");
    expect(writeDamage([0, 17, 18, 19, 20, 30])).toBe("0,17-20,30");
  });

  test("nothing known, or too much to name, is all of it", () => {
    expect(writeDamage([])).toBe("*");
    expect(writeDamage(Array.from({ length: 100 }, (_, i) => 2 * i))).toBe("*");
    expect(firstDamagedByte("*", 5, 6)).toBe(5);
  });

  test("the pieces can be read again", () => {
    fc.assert(
      fc.property(anyPieces, (pieces) => {
        expect(damagedPieces(writeDamage(pieces), 41)).toEqual(pieces);
      }),
    );
    expect(damagedPieces("*", 3)).toEqual([0, 1, 2]);
    // Of a mark that is longer than the blob nothing is made up.
    expect(damagedPieces("1-9999999999", 3)).toEqual([1, 2]);
  });

  test("an empty range covers no bad piece", () => {
    expect(firstDamagedByte("*", 5, 5)).toBeUndefined();
    expect(firstDamagedByte("0", 5, 5)).toBeUndefined();
  });

  test("the borders of a piece", () => {
    expect(firstDamagedByte("1", 0, pieceBytes)).toBeUndefined();
    expect(firstDamagedByte("1", 0, pieceBytes + 1)).toBe(pieceBytes);
    expect(firstDamagedByte("1", 2 * pieceBytes - 1, 2 * pieceBytes)).toBe(2 * pieceBytes - 1);
    expect(firstDamagedByte("1", 2 * pieceBytes, 3 * pieceBytes)).toBeUndefined();
  });

  test("says of any range what looking at each of its bytes would", () => {
    const edge = fc.tuple(fc.nat({ max: 42 }), fc.integer({ min: -1, max: 1 }));
    const byte = edge.map(([piece, by]) => Math.max(0, piece * pieceBytes + by));
    fc.assert(
      fc.property(anyPieces, byte, byte, (pieces, a, b) => {
        const damage = writeDamage(pieces);
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const firsts = pieces
          .map((piece) => Math.max(start, piece * pieceBytes))
          .filter((at, i) => at < Math.min(end, ((pieces[i] ?? 0) + 1) * pieceBytes));
        const expected = firsts.length === 0 ? undefined : Math.min(...firsts);
        expect(firstDamagedByte(damage, start, end)).toBe(expected);
      }),
    );
  });

  test("what is written can be read, and other text is refused", () => {
    fc.assert(
      fc.property(anyPieces, (pieces) => {
        expect(damageSchema.parse(writeDamage(pieces))).toBe(writeDamage(pieces));
      }),
    );
    for (const wrong of ["", ",", "1,", "-1", "1-", "1-2-3", "a", "*,1", "1".repeat(200)]) {
      expect(damageSchema.safeParse(wrong).success).toBe(false);
    }
  });
});
