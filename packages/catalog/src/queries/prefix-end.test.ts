import { expect, test } from "bun:test";
import fc from "fast-check";
import { prefixEnd } from "./prefix-end.ts";

const top = "\u{10FFFF}";

test("the end of a prefix", () => {
  expect(prefixEnd("")).toBeUndefined();
  expect(prefixEnd(top + top)).toBeUndefined();
  expect(prefixEnd("a")).toBe("b");
  expect(prefixEnd(`a${top}${top}`)).toBe("b");
  expect(prefixEnd("\uD7FF")).toBe("\uE000");
  expect(prefixEnd("\uFFFF")).toBe("\u{10000}");
});

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

test("texts between a prefix and its end are just those that begin with it", () => {
  const unit = fc.constantFrom("a", "b", "\u007F", "\uD7FF", "\uE000", "\uFFFF", "\u{10000}", top);
  const text = fc.array(unit, { maxLength: 4 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, other, below) => {
      const value = below ? prefix + other : other;
      const end = prefixEnd(prefix);
      expect(end?.isWellFormed() ?? true).toBe(true);
      const between =
        byteOrder(value, prefix) >= 0 && (end === undefined || byteOrder(value, end) < 0);
      expect(between).toBe(value.startsWith(prefix));
    }),
  );
});
