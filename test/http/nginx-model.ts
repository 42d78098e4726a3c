import type { DepartureName } from "./nginx-departures.ts";
import type { Generated } from "./nginx-requests.ts";

export interface Predicted {
  readonly status: number;
  /** As `first-last`; one or several for a 206. */
  readonly ranges: readonly string[];
}

/** Told of each departure that has a part in the prediction. */
export type Tell = (name: DepartureName) => void;

/**
 * What nginx 1.22 does (ngx_http_not_modified_filter_module.c, ngx_http_range_filter_module.c),
 * so that an answer which differs from dsm's is explained only if all of it is.
 */
export function predictNginx(request: Generated, tell: Tell): Predicted {
  const refused = conditionStatus(request, tell);
  if (refused !== undefined) return { status: refused, ranges: [] };
  const { method, ranges, size, ifRange } = request;
  const [line] = ranges;
  if (line === undefined || ifRange?.truth === false) return { status: 200, ranges: [] };
  if (ranges.length > 1) tell("two Range lines");
  if (!/^bytes=./i.test(line)) return { status: 200, ranges: [] };
  if (method === "HEAD") tell("a range with HEAD");
  const parsed = parseRanges(line.trim().slice("bytes=".length), BigInt(size), tell);
  if (parsed === "declined") return { status: 200, ranges: [] };
  if (parsed === "refused") return { status: 416, ranges: [] };
  if (parsed.length > 64) tell("more than 64 ranges");
  if (areClose(parsed)) tell("parts that overlap or lie close");
  return { status: 206, ranges: parsed.map(({ start, end }) => `${start}-${end - 1n}`) };
}

function conditionStatus(request: Generated, tell: Tell): 304 | 412 | undefined {
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince } = request;
  if (ifUnmodifiedSince !== undefined && ifUnmodifiedSince.truth !== true) {
    if (ifUnmodifiedSince.truth === undefined) tell("If-Unmodified-Since without a date");
    else if (ifMatch !== undefined) tell("If-Unmodified-Since beside If-Match");
    return 412;
  }
  if (ifMatch?.truth === false) return 412;
  if (ifModifiedSince === undefined && ifNoneMatch === undefined) return undefined;
  if (ifModifiedSince !== undefined && ifModifiedSince.kind !== "same date") {
    if (ifNoneMatch !== undefined) tell("If-Modified-Since beside If-None-Match");
    else if (ifModifiedSince.kind === "later") tell("If-Modified-Since after Last-Modified");
    return undefined;
  }
  return ifNoneMatch?.truth === true ? undefined : 304;
}

interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

const offsetMax = 2n ** 63n - 1n;

/** ngx_http_range_parse, turn by turn. */
function parseRanges(set: string, size: bigint, tell: Tell): Span[] | "declined" | "refused" {
  const spans: Span[] = [];
  let total = 0n;
  for (const element of set.split(",")) {
    const text = element.replace(/^ +| +$/g, "");
    const match = /^(?:(\d+) *- *(\d*)|-(\d+))$/.exec(text);
    if (match === null) {
      tell(text === "" ? "empty elements of a list" : "what is no set of ranges");
      return "refused";
    }
    if (/ /.test(text) || (spans.length === 0 && set.startsWith(" ")))
      tell("blanks inside a range");
    const [, from, to, suffix] = match;
    const numbers = [from, to, suffix].map((digits) => (digits ? BigInt(digits) : 0n));
    if (numbers.some((value) => value > offsetMax)) {
      tell("numbers past 2^63");
      return "refused";
    }
    const span = spanOf(numbers, { isSuffix: suffix !== undefined, isOpen: to === "" }, size);
    if (from !== undefined && to !== "" && numbers[1]! < numbers[0]!)
      tell("the last before the first");
    if (span.start < span.end) {
      spans.push(span);
      total += span.end - span.start;
    } else if (span.start === 0n) {
      if (size === 0n) tell("a range of an empty file");
      return "declined";
    }
  }
  if (spans.length === 0) return "refused";
  if (total <= size) return spans;
  tell("ranges with more bytes than the file");
  return "declined";
}

function spanOf(
  [first = 0n, last = 0n, length = 0n]: readonly bigint[],
  { isSuffix, isOpen }: { readonly isSuffix: boolean; readonly isOpen: boolean },
  size: bigint,
): Span {
  if (isOpen) return { start: first, end: size };
  if (isSuffix) return { start: length < size ? size - length : 0n, end: size };
  return { start: first, end: last >= size ? size : last + 1n };
}

function areClose(spans: readonly Span[]): boolean {
  const ascending = spans.toSorted((a, b) => Number(a.start - b.start));
  return ascending.some((span, at) => {
    const before = ascending[at - 1];
    return before !== undefined && span.start - before.end < 256n;
  });
}
