import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ByteRange, type RangeSelection, selectRange } from "./range.ts";

const whole: RangeSelection = { kind: "whole" };
const unsatisfiable: RangeSelection = { kind: "unsatisfiable" };
const part = (start: number, endExclusive: number): RangeSelection => ({
  kind: "part",
  start,
  endExclusive,
});

const parts = (...ranges: [number, number][]): RangeSelection => ({
  kind: "parts",
  parts: ranges.map(([start, endExclusive]) => ({ start, endExclusive })),
});

const past63 = "9223372036854775808";
const huge = "9".repeat(5000);

describe("RFC 9110, section 14.1.2: byte ranges of a file of 10,000 bytes", () => {
  test.each<[string | null, RangeSelection]>([
    ["bytes=0-499", part(0, 500)],
    ["bytes=500-999", part(500, 1000)],
    ["bytes=-500", part(9500, 10_000)],
    ["bytes=9500-", part(9500, 10_000)],
    ["bytes=0-0", part(0, 1)],
    ["bytes=-1", part(9999, 10_000)],
    ["bytes=9999-9999", part(9999, 10_000)],
    ["bytes=9999-10000", part(9999, 10_000)],
    ["bytes=0-", part(0, 10_000)],
    ["bytes=-10000", part(0, 10_000)],
    ["bytes=-10001", part(0, 10_000)],
    ["bytes=0-99999999", part(0, 10_000)],
    [`bytes=1-${past63}`, part(1, 10_000)],
    [`bytes=-${past63}`, part(0, 10_000)],
    [`bytes=1-${huge}`, part(1, 10_000)],
    ["bytes=0000000000000000000000001-000000000000000000000000000003", part(1, 4)],
    ["bytes=10000-", unsatisfiable],
    ["bytes=10000-10001", unsatisfiable],
    [`bytes=${past63}-`, unsatisfiable],
    [`bytes=${huge}-${huge}`, unsatisfiable],
    ["bytes=-0", unsatisfiable],
    ["bytes=-000", unsatisfiable],
  ])("%p selects %p", (header, selection) => {
    expect(selectRange(header, 10_000)).toEqual(selection);
  });
});

describe("RFC 9110, sections 14.1.1 and 14.2: what is no range set is ignored", () => {
  test.each([
    null,
    "",
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes=--1",
    "bytes=5-4",
    `bytes=${past63}-9223372036854775807`,
    "bytes=1",
    "bytes=a-b",
    "bytes=0x1-2",
    "bytes=1-2-3",
    "bytes=+1-2",
    "bytes=1.0-2",
    "bytes=1 - 2",
    "bytes= 1-2",
    "bytes =1-2",
    " bytes=1-2",
    "bytes=1-2;3-4",
    "bytes=1-2,x",
    "bytes=1-2, bytes=3-4",
    "bytes:1-2",
    "items=1-2",
    "bytes=１-２",
  ])("%p", (header) => {
    expect(selectRange(header, 10_000)).toEqual(whole);
  });
});

describe("RFC 9110, section 14.1: the name of the unit is case-insensitive", () => {
  test.each(["Bytes=1-2", "BYTES=1-2"])("%p", (header) => {
    expect(selectRange(header, 10_000)).toEqual(part(1, 3));
  });
});

describe("RFC 9110, sections 5.6.1.2 and 14.2: several ranges", () => {
  test.each<[string, RangeSelection]>([
    ["bytes=0-0,-1", parts([0, 1], [9999, 10_000])],
    ["bytes=-1,0-0", parts([9999, 10_000], [0, 1])],
    ["bytes=0-0,5000-5001,-1", parts([0, 1], [5000, 5002], [9999, 10_000])],
    ["bytes=500-600,601-999", part(500, 1000)],
    ["bytes=601-999,500-600", part(500, 1000)],
    ["bytes=0-9999,5-6,0-", part(0, 10_000)],
    ["bytes=0-9,265-300", part(0, 301)],
    ["bytes=0-9,266-300", parts([0, 10], [266, 301])],
    ["bytes=5000-5009,0-9,5010-5019", parts([5000, 5020], [0, 10])],
    ["bytes=0-9,5000-5009,5-14", parts([0, 15], [5000, 5010])],
    ["bytes=5000-5009,0-9,20000-,-1", parts([5000, 5010], [0, 10], [9999, 10_000])],
    ["bytes=1-2,20000-", part(1, 3)],
    ["bytes=20000-,-0", unsatisfiable],
    ["bytes=,1-2", part(1, 3)],
    ["bytes=, ,\t1-2 , ,", part(1, 3)],
  ])("%p selects %p", (header, selection) => {
    expect(selectRange(header, 10_000)).toEqual(selection);
  });
});

describe("RFC 9110, section 14.2: a set of very many ranges is ignored", () => {
  const header = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, i) => `${i * 1000}-${i * 1000}`).join(",")}`;
  test("64 are served, 65 are not", () => {
    const selection = selectRange(header(64), 10 ** 6);
    expect(selection.kind === "parts" && selection.parts.length).toBe(64);
    expect(selectRange(header(65), 10 ** 6)).toEqual(whole);
    expect(selectRange("bytes=0-,0-,0-,0-,0-,0-,0-,0-", 10 ** 6)).toEqual(part(0, 10 ** 6));
  });
});

describe("RFC 9110, section 14.1.2: an empty file", () => {
  test.each<[string, RangeSelection]>([
    ["bytes=0-", unsatisfiable],
    ["bytes=0-0", unsatisfiable],
    ["bytes=-0", unsatisfiable],
    ["bytes=-1", whole],
    ["bytes=0-0,-1", whole],
  ])("%p selects %p", (header, selection) => {
    expect(selectRange(header, 0)).toEqual(selection);
  });
});

describe("a file past 4 GiB", () => {
  const sizeBytes = Number.MAX_SAFE_INTEGER;
  test.each<[string, RangeSelection]>([
    ["bytes=4294967295-4294967296", part(4_294_967_295, 4_294_967_297)],
    [`bytes=${sizeBytes - 1}-`, part(sizeBytes - 1, sizeBytes)],
    [`bytes=${sizeBytes}-`, unsatisfiable],
    [`bytes=${sizeBytes + 1}-`, unsatisfiable],
  ])("%p selects %p", (header, selection) => {
    expect(selectRange(header, sizeBytes)).toEqual(selection);
  });
});

/** The rule of section 14.1.2 in BigInt, as short as it can be said. */
function model(first: bigint | undefined, last: bigint | undefined, size: bigint): RangeSelection {
  if (first !== undefined && last !== undefined && last < first) return whole;
  if (first === undefined && last === undefined) return whole;
  if (first === undefined && last === 0n) return unsatisfiable;
  if (first === undefined && size === 0n) return whole;
  const start = first ?? (last! > size ? 0n : size - last!);
  if (start >= size) return unsatisfiable;
  const endInclusive = first === undefined || last === undefined || last >= size ? size - 1n : last;
  return part(Number(start), Number(endInclusive) + 1);
}

function rangesOf(selection: RangeSelection): readonly ByteRange[] {
  if (selection.kind === "parts") return selection.parts;
  return selection.kind === "part" ? [selection] : [];
}

describe("properties", () => {
  const start = fc.integer({ min: 0, max: 2000 });
  const span = fc.integer({ min: 0, max: 300 });
  const several = fc.array(fc.tuple(start, span), { minLength: 1, maxLength: 64 });

  test("several ranges: every byte asked for once, none twice, few besides, the first named first", () => {
    fc.assert(
      fc.property(several, (wanted) => {
        const header = `bytes=${wanted.map(([at, n]) => `${at}-${at + n}`).join(",")}`;
        const ranges = rangesOf(selectRange(header, 2200));
        const sent = new Map<number, number>();
        for (const { start: at, endExclusive } of ranges) {
          for (let i = at; i < endExclusive; i += 1) sent.set(i, (sent.get(i) ?? 0) + 1);
        }
        const asked = new Set<number>();
        for (const [at, n] of wanted) {
          for (let i = at; i <= Math.min(at + n, 2199); i += 1) asked.add(i);
        }
        expect([...sent.values()].every((times) => times === 1)).toBe(true);
        expect([...asked].every((i) => sent.has(i))).toBe(true);
        // What lies between joined ranges is less than a part's head for each of them.
        expect(sent.size - asked.size).toBeLessThan(256 * wanted.length);
        const [first] = wanted[0] ?? [0];
        expect(ranges[0]?.start).toBeLessThanOrEqual(first);
        expect(ranges[0]?.endExclusive).toBeGreaterThan(first);
      }),
      { numRuns: 500 },
    );
  });

  const position = fc.option(
    fc.oneof(fc.bigInt(0n, 30n), fc.bigInt(0n, 1n << 70n), fc.constant(0n)),
    { nil: undefined },
  );
  const size = fc.oneof(fc.bigInt(0n, 30n), fc.bigInt(0n, BigInt(Number.MAX_SAFE_INTEGER)));

  test("one range agrees with the model", () => {
    fc.assert(
      fc.property(position, position, size, (first, last, sizeBytes) => {
        const header = `bytes=${first ?? ""}-${last ?? ""}`;
        expect(selectRange(header, Number(sizeBytes))).toEqual(model(first, last, sizeBytes));
      }),
      { numRuns: 2000 },
    );
  });

  test("nothing makes it throw, and what it selects lies in the file", () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(..."0123456789-,=; \tbytes") }).map((s) => `bytes=${s}`),
    );
    fc.assert(
      fc.property(hostile, fc.nat(), (header, sizeBytes) => {
        const selection = selectRange(header, sizeBytes);
        for (const range of rangesOf(selection)) {
          expect(range.start).toBeGreaterThanOrEqual(0);
          expect(range.start).toBeLessThan(range.endExclusive);
          expect(range.endExclusive).toBeLessThanOrEqual(sizeBytes);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
