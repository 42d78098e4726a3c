import { expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import fc from "fast-check";
import { formatEndpoint, parseEndpoint } from "./endpoint.ts";

test.each([
  ["127.0.0.1:7700", "127.0.0.1", 7700],
  ["tracker-1.example.org:1", "tracker-1.example.org", 1],
  ["my_host:65535", "my_host", 65_535],
  ["localhost:0", "localhost", 0],
  ["[::1]:7700", "::1", 7700],
  ["[fe80::1%eth0]:7700", "fe80::1%eth0", 7700],
])("%s is an endpoint", (text, hostname, port) => {
  expect(parseEndpoint(text)).toEqual({ hostname, port });
  expect(formatEndpoint(hostname, port)).toBe(text);
});

test.each([
  "",
  "localhost",
  ":7700",
  "localhost:",
  "localhost:65536",
  "localhost:-1",
  "localhost:7x",
  "localhost:123456",
  "::1:7700",
  "[]:7700",
  "[::1]",
  "[localhost]:7700",
  "[::1:7700",
  "a b:7700",
  "http://localhost:7700",
  "user@host:7700",
  "host:7700/",
  "host:7700\n",
  "höst:1",
])("%j is none", (text) => {
  expect(() => parseEndpoint(text)).toThrow(DsmError);
  expect(() => parseEndpoint(text)).toThrow(`is not an endpoint: `);
});

test("any IPv4, IPv6 or host name comes back as it went in", () =>
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      fc.integer({ min: 0, max: 65_535 }),
      (hostname, port) => {
        expect(parseEndpoint(formatEndpoint(hostname, port))).toEqual({ hostname, port });
      },
    ),
  ));

test("any text is an endpoint or BAD_CONFIG, in a short line", () =>
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ maxLength: 500 })), (text) => {
      try {
        parseEndpoint(text);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "BAD_CONFIG" });
        expect((thrown as Error).message.length).toBeLessThan(700);
      }
    }),
  ));
