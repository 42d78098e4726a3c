import { expect, test } from "bun:test";
import { isLoopback, isWildcard } from "./listen-address.ts";

test("loopback is this machine alone", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].map(isLoopback)).not.toContain(false);
  const open = ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org"];
  expect(open.map(isLoopback)).not.toContain(true);
  expect(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"].map(isWildcard)).not.toContain(false);
  expect(["127.0.0.1", "::1", "10.0.0.1"].map(isWildcard)).not.toContain(true);
});
