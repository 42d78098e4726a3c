import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  addressRange,
  bool,
  cacheControl,
  deliveries,
  duration,
  endpoint,
  fieldName,
  int,
  linkKey,
  list,
  listenAddress,
  mount,
  origin,
  size,
  serversUrl,
  url,
} from "./index.ts";
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
  [
    "delivery",
    deliveries,
    ["", "Auto", "auto,", "auto,local", "g1=", "=local", "g1=auto,g1=auto", "a b=auto", "g1=x"],
  ],
  ["cache control", cacheControl, ["", "no-cache,", "a b", "a\r\nx: 1", "max-age=", "é", ', a"']],
  ["address range", addressRange, ["", "10.0.0.0/33", "example.org", "1.2.3.4:80", "::1/129"]],
  ["link key", linkKey, ["", "k", "k:short", `:${"s".repeat(32)}`, `k:${"s".repeat(31)} `]],
  ["header name", fieldName, ["", "a b", "a:", "é", "a,b"]],
  [
    "origin",
    origin,
    ["", "null", "h", "https://h/", "https://h:443", "https://H", "ftp://h", "*.h"],
  ],
  ["url", url(["http:"], "http://h"), ["h:1", "ftp://h", "/x", ""]],
  ["servers", serversUrl(["my:"], "my://h/d"), ["h:1,i:2", "my://h:x,i/d", "ftp://h,i/d", ""]],
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

test("what HTTP allows is taken as it stands", () => {
  const taken: Array<[Kind<string>, string]> = [
    [cacheControl, "no-cache"],
    [cacheControl, 'public, max-age=3600 , private="set-cookie, x"'],
    [fieldName, "*"],
    [fieldName, "Accept-Encoding"],
    [origin, "*"],
    [origin, "http://127.0.0.1:8080"],
    [origin, "https://player.example.org"],
  ];
  for (const [kind, value] of taken) expect(kind.fromText(value)).toEqual({ value });
});

test("delivery is one mode for all groups, or one for some and another for the others", () => {
  const read = (others: string, byGroup: Record<string, string>) => ({
    value: { others, byGroup: new Map(Object.entries(byGroup)) },
  });
  expect(deliveries.fromText("redirect")).toEqual(read("redirect", {}) as never);
  const mixed = read("proxy", { g1: "local", g2: "redirect" }) as never;
  expect(deliveries.fromText("g1=local, proxy ,g2=redirect")).toEqual(mixed);
  expect(deliveries.fromToml(["proxy", "g1=local", "g2=redirect"])).toEqual(mixed);
  expect(deliveries.fromText("g1=local")).toEqual(read("auto", { g1: "local" }) as never);
  expect(deliveries.fromToml("auto")).toEqual(read("auto", {}) as never);
  // One string is one value, as with every list in TOML.
  expect(deliveries.fromToml("auto,g1=local")).toHaveProperty("fault");
  expect(deliveries.fromToml([1])).toHaveProperty("fault");
});
