import { expect, test } from "bun:test";
import fc from "fast-check";
import { nearest } from "./nearest.ts";

test("a slip of the finger finds its word, nonsense finds none", () => {
  const words = ["upload", "download", "delete", "list", "stat", "status"];
  expect(["uplaod", "lst", "statsu", "xyzzy", ""].map((it) => nearest(it, words))).toEqual([
    "upload",
    "list",
    "status",
    undefined,
    undefined,
  ]);
});

test("a word is nearest to itself", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.array(fc.string()), (word, others) => {
      expect(nearest(word, [...others, word])).toBe(word);
    }),
  );
});
