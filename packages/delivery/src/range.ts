import { limits } from "@dsm/protocol";

/**
 * One element of a Range header (RFC 9110, section 14.1.1). Positions past 2^53 are Infinity:
 * no file is that large.
 */
type RangeSpec =
  { readonly first: number; readonly last: number } | { readonly suffixLength: number };

/** A run of bytes of a file, `endExclusive` being the first byte behind it. Never empty. */
export interface ByteRange {
  readonly start: number;
  readonly endExclusive: number;
}

export type RangeSelection =
  | { readonly kind: "whole" }
  | ({ readonly kind: "part" } & ByteRange)
  /** Two or more, none of which touches another, in the order in which they were asked for. */
  | { readonly kind: "parts"; readonly parts: readonly ByteRange[] }
  | { readonly kind: "unsatisfiable" };

const whole: RangeSelection = { kind: "whole" };
const unsatisfiable: RangeSelection = { kind: "unsatisfiable" };

/**
 * What a Range header selects of a file of `sizeBytes` (RFC 9110, sections 14.1.2 and 14.2). A
 * header that is absent, of another unit or malformed is ignored, and so is one with more than
 * limits.rangesPerRequestMax ranges.
 */
export function selectRange(header: string | null, sizeBytes: number): RangeSelection {
  const specs = header === null ? undefined : parseRanges(header);
  if (specs === undefined) return whole;
  // A suffix of an empty file is satisfiable, yet no Content-Range can name zero bytes.
  if (sizeBytes === 0 && specs.some((spec) => "suffixLength" in spec && spec.suffixLength > 0)) {
    return whole;
  }
  const ranges = specs.flatMap((spec) => resolve(spec, sizeBytes) ?? []);
  const parts = ranges.length > 1 ? coalesce(ranges) : ranges;
  const [first, ...others] = parts;
  if (first === undefined) return unsatisfiable;
  return others.length === 0 ? { kind: "part", ...first } : { kind: "parts", parts };
}

/**
 * Joins ranges that overlap, or lie so close that the head of one more part would cost about as
 * much as the bytes between them (RFC 9110, section 15.3.7.2). So no byte is ever sent twice,
 * whatever was asked for. What is joined stands where the earliest-named of its ranges stood: a
 * client may have named first what it needs first.
 */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const ascending = ranges.map((range, order) => ({ ...range, order }));
  ascending.sort((a, b) => a.start - b.start);
  const joined: (typeof ascending)[number][] = [];
  for (const range of ascending) {
    const last = joined.at(-1);
    if (last === undefined || range.start - last.endExclusive >= limits.rangeGapMaxBytes) {
      joined.push(range);
      continue;
    }
    last.endExclusive = Math.max(last.endExclusive, range.endExclusive);
    last.order = Math.min(last.order, range.order);
  }
  joined.sort((a, b) => a.order - b.order);
  return joined.map(({ start, endExclusive }) => ({ start, endExclusive }));
}

// RFC 9110, section 14.1: names of range units are case-insensitive.
const unitPattern = /^bytes=/i;
const specPattern = /^[ \t]*([0-9]*)-([0-9]*)[ \t]*$/;
const emptyPattern = /^[ \t]*$/;

/**
 * The elements of `bytes=…`, or undefined when it is not one valid set of ranges, or a set of too
 * many, which RFC 9110, section 14.2, lets a server ignore. Empty list elements and white space
 * around commas are allowed (section 5.6.1.2), elsewhere it is not.
 */
function parseRanges(header: string): RangeSpec[] | undefined {
  if (!unitPattern.test(header)) return undefined;
  const set = header.slice("bytes=".length);
  if (/^[ \t]+[^ \t,]/.test(set)) return undefined;
  const specs: RangeSpec[] = [];
  for (const element of set.split(",")) {
    const spec = parseRange(element);
    if (spec === undefined && emptyPattern.test(element)) continue;
    if (spec === undefined || specs.length === limits.rangesPerRequestMax) return undefined;
    specs.push(spec);
  }
  return specs.length === 0 ? undefined : specs;
}

function parseRange(element: string): RangeSpec | undefined {
  const match = specPattern.exec(element);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") return last === "" ? undefined : { suffixLength: position(last) };
  if (last === "") return { first: position(first), last: Number.POSITIVE_INFINITY };
  // RFC 9110, section 14.1.1: invalid when the last position lies before the first.
  return isLess(last, first) ? undefined : { first: position(first), last: position(last) };
}

function resolve(spec: RangeSpec, sizeBytes: number): ByteRange | undefined {
  if ("suffixLength" in spec) {
    if (spec.suffixLength === 0) return undefined;
    return { start: Math.max(0, sizeBytes - spec.suffixLength), endExclusive: sizeBytes };
  }
  if (spec.first >= sizeBytes) return undefined;
  return { start: spec.first, endExclusive: Math.min(spec.last + 1, sizeBytes) };
}

function position(digits: string): number {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY;
}

/** Compares numbers of any length. */
function isLess(a: string, b: string): boolean {
  const x = significant(a);
  const y = significant(b);
  return x.length === y.length ? x < y : x.length < y.length;
}

function significant(digits: string): string {
  return digits.startsWith("0") ? digits.replace(/^0+(?=[0-9])/, "") : digits;
}
