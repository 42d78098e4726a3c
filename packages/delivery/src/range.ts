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
  | { readonly kind: "unsatisfiable" };

const whole: RangeSelection = { kind: "whole" };

/**
 * What a Range header selects of a file of `sizeBytes` (RFC 9110, sections 14.1.2 and 14.2). A
 * header that is absent, of another unit or malformed is ignored, and so is one that selects
 * several ranges: a server may always answer with the whole.
 */
export function selectRange(header: string | null, sizeBytes: number): RangeSelection {
  const specs = header === null ? undefined : parseRanges(header);
  if (specs === undefined) return whole;
  // A suffix of an empty file is satisfiable, yet no Content-Range can name zero bytes.
  if (sizeBytes === 0 && specs.some((spec) => "suffixLength" in spec && spec.suffixLength > 0)) {
    return whole;
  }
  const ranges = specs.flatMap((spec) => resolve(spec, sizeBytes) ?? []);
  const [range, ...others] = ranges;
  if (range === undefined) return { kind: "unsatisfiable" };
  return others.length === 0 ? { kind: "part", ...range } : whole;
}

// RFC 9110, section 14.1: names of range units are case-insensitive.
const unitPattern = /^bytes=/i;
const intRangePattern = /^([0-9]+)-([0-9]*)$/;
const suffixRangePattern = /^-([0-9]+)$/;

/**
 * The elements of `bytes=…`, or undefined when it is not one valid range set. Empty list elements
 * and white space around commas are allowed (RFC 9110, section 5.6.1.2), elsewhere it is not.
 */
function parseRanges(header: string): RangeSpec[] | undefined {
  if (!unitPattern.test(header)) return undefined;
  const set = header.slice("bytes=".length);
  if (/^[ \t]+[^ \t,]/.test(set)) return undefined;
  const specs: RangeSpec[] = [];
  for (const element of set.split(",")) {
    const text = trimWhiteSpace(element);
    if (text === "") continue;
    const spec = parseRange(text);
    if (spec === undefined) return undefined;
    specs.push(spec);
  }
  return specs.length === 0 ? undefined : specs;
}

function parseRange(text: string): RangeSpec | undefined {
  const suffix = suffixRangePattern.exec(text)?.[1];
  if (suffix !== undefined) return { suffixLength: position(significant(suffix)) };
  const match = intRangePattern.exec(text);
  if (match === null) return undefined;
  const first = significant(match[1] ?? "");
  if (match[2] === "") return { first: position(first), last: Number.POSITIVE_INFINITY };
  const last = significant(match[2] ?? "");
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

function significant(digits: string): string {
  return digits.replace(/^0+(?=[0-9])/, "");
}

function position(digits: string): number {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY;
}

/** Compares numbers of any length; neither may have leading zeros. */
function isLess(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

function trimWhiteSpace(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
