import { expect, test } from "bun:test";
import { sizeText, spanText, tableLines, timeText } from "./table.ts";

test("columns line up, wide letters too", () => {
  expect(
    tableLines([
      ["A", "B"],
      ["日本", "x"],
      ["abc", ""],
    ]),
  ).toEqual(["A     B", "日本  x", "abc"]);
});

test("sizes, times and spans are for people", () => {
  expect([0, 1023, 1024, 2 ** 43, 2 ** 60].map(sizeText)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "8.0 TiB",
    "1024.0 PiB",
  ]);
  expect([-5, 59_999, 60_000, 7_200_000, 3 * 86_400_000].map(spanText)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "2 h",
    "3 d",
  ]);
  expect(timeText(0)).toBe("1970-01-01 00:00:00 UTC");
});
