import { describe, expect, test } from "bun:test";
import { assertHost, withHost } from "./host-check.ts";

describe("a Host", () => {
  test.each([
    "",
    "a",
    "127.0.0.1:80",
    "[::1]",
    "[::1]:80",
    "a_b.example:",
    "a%20b",
    "x!$&'()*+,;=",
  ])("%p is one", (host) => expect(() => assertHost(host)).not.toThrow());

  test.each([
    "a b",
    "a, b",
    "a/b",
    "a?b",
    "a#b",
    "a@b",
    "a\\b",
    "[::1",
    "a:port",
    "<x>",
    "a%2",
    "é",
  ])("%p is none", (host) => expect(() => assertHost(host)).toThrow("no host"));
});

test("a request is given a whole URL, and keeps all else", async () => {
  const request = withHost(new Request("http://h/a?b", { method: "PUT", body: "c" }));
  expect([request.url, request.method, await request.text()]).toEqual(["http://h/a?b", "PUT", "c"]);
});
