/**
 * What RFC 9110 says of a Range header, written from its text and from nothing of ours: regular
 * expressions after the grammar of section 14.1.1 and numbers without bounds.
 */
export type Selected =
  | "whole"
  | "unsatisfiable"
  /** As the parts come; one of them is an ordinary 206. */
  | readonly Span[];

export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Section 5.6.1.2: what a recipient must accept as a list, empty elements and all. */
const rangeSet =
  /^bytes=((?:[\x21-\x2b\x2d-\x7e]+)?(?:[ \t]*,[ \t]*(?:[\x21-\x2b\x2d-\x7e]+)?)*)$/i;

const rangesMax = 64;
const gapMaxBytes = 256;

/** @param values the lines of the header; it is no list, so two of them are none (section 5.3) */
export function selectByModel(values: readonly string[], sizeBytes: number): Selected {
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) return "whole";
  const set = rangeSet.exec(value.trim())?.[1];
  if (set === undefined) return "whole";
  const elements = set.split(",").map((element) => element.trim());
  const specs = elements.filter((element) => element !== "");
  // Section 14.2: too many may be ignored.
  if (specs.length === 0 || specs.length > rangesMax) return "whole";
  const size = BigInt(sizeBytes);
  const spans: Array<{ first: bigint; last: bigint }> = [];
  let anyEmptySuffix = false;
  for (const spec of specs) {
    const suffix = /^-(\d+)$/.exec(spec)?.[1];
    const [, from, to] = /^(\d+)-(\d*)$/.exec(spec) ?? [];
    if (suffix !== undefined) {
      const length = BigInt(suffix);
      // Section 14.1.1: a suffix is satisfiable when it is not zero, even of an empty file.
      if (length > 0n && size === 0n) anyEmptySuffix = true;
      if (length > 0n && size > 0n) {
        spans.push({ first: length > size ? 0n : size - length, last: size - 1n });
      }
    } else if (from !== undefined) {
      const first = BigInt(from);
      const last = to === undefined || to === "" ? undefined : BigInt(to);
      if (last !== undefined && last < first) return "whole";
      if (first < size) {
        spans.push({ first, last: last === undefined || last >= size ? size - 1n : last });
      }
    } else {
      return "whole";
    }
  }
  if (anyEmptySuffix) return "whole";
  if (spans.length === 0) return "unsatisfiable";
  return joined(spans).map(({ first, last }) => ({ first: Number(first), last: Number(last) }));
}

/** Section 15.3.7.2: those that overlap or lie close are one; here until nothing changes. */
function joined(spans: ReadonlyArray<{ first: bigint; last: bigint }>) {
  const rest = [...spans];
  for (let i = 0; i < rest.length; i++) {
    for (let k = i + 1; k < rest.length; k++) {
      const [a, b] = [rest[i]!, rest[k]!];
      const [left, right] = a.first <= b.first ? [a, b] : [b, a];
      if (right.first - left.last - 1n >= BigInt(gapMaxBytes)) continue;
      rest[i] = { first: left.first, last: left.last > right.last ? left.last : right.last };
      rest.splice(k, 1);
      // The joined one may reach others that were passed over.
      k = i;
    }
  }
  return rest;
}
