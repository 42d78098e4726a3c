import { z } from "zod";
import { limits } from "./limits.ts";

/**
 * The bad pieces of a blob as text: numbers and ranges of pieces of `limits.pieceBytes`, as
 * `3,17-20`, or `*` when it is not known which are bad or there are too many to name.
 */
export const damageSchema = z
  .string()
  .max(limits.damageMaxChars)
  .regex(/^(?:\*|\d{1,10}(?:-\d{1,10})?(?:,\d{1,10}(?:-\d{1,10})?)*)$/);

/** @param pieces numbers of pieces in ascending order, each once; at least one */
export function writeDamage(pieces: readonly number[]): string {
  const spans: Array<{ first: number; last: number }> = [];
  for (const piece of pieces) {
    const open = spans.at(-1);
    if (open !== undefined && open.last === piece - 1) open.last = piece;
    else spans.push({ first: piece, last: piece });
  }
  const text = spans.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  const damage = text.join(",");
  return damage === "" || damage.length > limits.damageMaxChars ? "*" : damage;
}

/** The first byte from `start` on, before `endExclusive`, that lies in a bad piece; else none. */
export function firstDamagedByte(
  damage: string,
  start: number,
  endExclusive: number,
): number | undefined {
  if (start >= endExclusive) return undefined;
  if (damage === "*") return start;
  let first: number | undefined;
  for (const span of damage.split(",")) {
    const [from = 0, to = from] = span.split("-").map(Number);
    const at = Math.max(start, from * limits.pieceBytes);
    if (at >= Math.min(endExclusive, (to + 1) * limits.pieceBytes)) continue;
    first = Math.min(at, first ?? at);
  }
  return first;
}

/** The numbers of the bad pieces of a blob that has `count` pieces, in ascending order. */
export function damagedPieces(damage: string, count: number): number[] {
  const all = Array.from({ length: count }, (_, piece) => piece);
  if (damage === "*") return all;
  const spans = damage.split(",").map((span) => span.split("-").map(Number));
  return all.filter((piece) => spans.some(([from = 0, to = from]) => from <= piece && piece <= to));
}
