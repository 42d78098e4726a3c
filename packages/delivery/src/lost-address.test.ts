import { expect, test } from "bun:test";
import { isLostAddress } from "./lost-address.ts";

test("an address is lost when this host cannot listen on it", () => {
  const own = ["127.0.0.1", "127.0.0.9", "::ffff:127.0.0.1", "0.0.0.0"];
  expect(own.map(isLostAddress)).toEqual(own.map(() => false));
  // RFC 5737 and RFC 3849: nobody has these.
  const others = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"];
  expect(others.map(isLostAddress)).toEqual(others.map(() => true));
});
