import { expect, test } from "bun:test";
import fc from "fast-check";
import { bool, duration, endpoint, int, list, listenAddress, mount, size, url } from "./index.ts";
import type { Kind } from "./kind.ts";

const refused: Array<[string, Kind<never> | Kind<unknown>, string[]]> = [
  ["int", int(1, 64), ["0", "65", "1.5", "1e1", "", " 1", "0x10", "99999999999999999999"]],
  ["bool", bool, ["yes", "1", "True", ""]],
  ["duration", duration(0), ["30", "s", "1.5h", "-1s", "30 s", "3w", "99999999999d", ""]],
  ["size", size(0), ["64", "64MB", "1.5GiB", "-1B", "64 MiB", "9999999999999TiB", ""]],
  ["listen", listenAddress, ["7600", "a:", ":1", "a:65536", "a:-1", "::1:7600", "a b:1", "a:1/"]],
  ["endpoint", endpoint, ["a:0", "http://a:1", "a", ""]],
  ["list", list(endpoint, 1), ["", ",", "a:1,", "a:1,a:1", "a:1;b:2"]],
  ["mount", mount, ["g1", "=/x", "g1=", "g1=x", "a b=/x", ".g=/x"]],
  ["url", url(["http:"], "http://h"), ["h:1", "ftp://h", "/x", ""]],
];

for (const [name, kind, values] of refused) {
  test(`${name} refuses what it is not`, () => {
    const taken = values.filter((value) => "value" in kind.fromText(value));
    expect(taken).toEqual([]);
  });

  test(`${name} refuses any text and TOML value without throwing`, () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (value, written) => {
        kind.fromToml(value);
        kind.fromText(written);
      }),
    );
  });
}

test("durations and sizes are written in their largest whole unit", () => {
  expect([0, 1, 90_000, 86_400_000].map((it) => duration(0).toText(it))).toEqual([
    "0ms",
    "1ms",
    "90s",
    "1d",
  ]);
  expect([0, 1536, 2 ** 30].map((it) => size(0).toText(it))).toEqual(["0B", "1536B", "1GiB"]);
});

test("a bare number in TOML is bytes, but no duration", () => {
  expect(size(0).fromToml(4096)).toEqual({ value: 4096 });
  expect(duration(0).fromToml(30)).toHaveProperty("fault");
});
