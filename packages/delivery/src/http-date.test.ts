import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatHttpDate, parseHttpDate } from "./http-date.ts";

const nowMs = Date.UTC(2026, 0, 1);
const example = 784_111_777;

describe("RFC 9110, section 5.6.7: dates", () => {
  test.each<[string, number]>([
    ["Sun, 06 Nov 1994 08:49:37 GMT", example],
    ["Sunday, 06-Nov-94 08:49:37 GMT", example],
    ["Sun Nov  6 08:49:37 1994", example],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["Thu, 29 Feb 2024 23:59:59 GMT", Date.UTC(2024, 1, 29, 23, 59, 59) / 1000],
    ["Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2017, 0, 1) / 1000],
    ["Mon, 01 Jan 0001 00:00:00 GMT", new Date("0001-01-01T00:00:00Z").getTime() / 1000],
    ["Thursday, 01-Jan-76 00:00:00 GMT", Date.UTC(2076, 0, 1) / 1000],
    ["Thursday, 01-Jan-76 00:00:01 GMT", Date.UTC(1976, 0, 1, 0, 0, 1) / 1000],
    ["Saturday, 01-Jan-77 00:00:00 GMT", Date.UTC(1977, 0, 1) / 1000],
    ["Tuesday, 29-Feb-00 00:00:00 GMT", Date.UTC(2000, 1, 29) / 1000],
  ])("%p is %p", (text, seconds) => {
    expect(parseHttpDate(text, nowMs)).toBe(seconds);
  });

  test.each([
    "",
    "0",
    "784111777",
    "1994-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "sun, 06 nov 1994 08:49:37 gmt",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,  06 Nov 1994 08:49:37 GMT",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Wed, 30 Feb 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun, 06-Nov-94 08:49:37 GMT",
  ])("%p is none", (text) => {
    expect(parseHttpDate(text, nowMs)).toBeUndefined();
  });

  test("what is formatted is parsed to the same second", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (timeMs) => {
        expect(parseHttpDate(formatHttpDate(timeMs))).toBe(Math.floor(timeMs / 1000));
      }),
    );
  });

  test("nothing makes it throw", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseHttpDate(text)));
  });
});
