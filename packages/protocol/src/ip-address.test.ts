import { expect, test } from "bun:test";
import { isIPv4 } from "node:net";
import fc from "fast-check";
import { canonicalAddress, parseAddressRange } from "./ip-address.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:201", "192.0.2.1"],
  ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["::", "::"],
  ["::1.2.3.4", "::102:304"],
])("%s is %s", (written, canonical) => {
  expect(canonicalAddress(written)).toBe(canonical);
});

test.each(["", "1.2.3", "01.2.3.4", "1.2.3.4:80", "[::1]", "fe80::1%eth0", " ::1", "1::2::3"])(
  "%j is no address",
  (written) => expect(canonicalAddress(written)).toBeUndefined(),
);

test("every way to write an address gives the same form, which stays as it is", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(65_535), { minLength: 8, maxLength: 8 }), (groups) => {
      const full = groups.map((it) => it.toString(16).padStart(4, "0")).join(":");
      const canonical = canonicalAddress(full);
      expect(canonicalAddress(full.toUpperCase())).toBe(canonical);
      expect(canonicalAddress(groups.map((it) => it.toString(16)).join(":"))).toBe(canonical);
      expect(canonicalAddress(canonical ?? "")).toBe(canonical);
    }),
  );
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(canonicalAddress(`::ffff:${address}`)).toBe(address);
    }),
  );
});

test.each([
  ["10.0.0.0/8", { address: "10.0.0.0", family: "ipv4", prefixBits: 8 }],
  ["10.0.0.1", { address: "10.0.0.1", family: "ipv4", prefixBits: 32 }],
  ["::ffff:10.0.0.1", { address: "10.0.0.1", family: "ipv4", prefixBits: 32 }],
  ["2001:DB8::/32", { address: "2001:db8::", family: "ipv6", prefixBits: 32 }],
  ["::/0", { address: "::", family: "ipv6", prefixBits: 0 }],
] as const)("%s is a range", (written, range) => {
  expect(parseAddressRange(written)).toEqual(range);
});

test.each(["10.0.0.0/33", "::/129", "::ffff:10.0.0.0/104", "10/8", "/8", "10.0.0.0/", "::1/-1"])(
  "%s is no range",
  (written) => expect(parseAddressRange(written)).toBeUndefined(),
);

test("no text at all throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.ipV4Extended()), (text) => {
      const address = canonicalAddress(text);
      const range = parseAddressRange(text);
      if (address !== undefined) {
        expect(range?.family).toBe(isIPv4(address) ? "ipv4" : "ipv6");
      }
    }),
  );
});
