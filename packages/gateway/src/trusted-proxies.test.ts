import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import fc from "fast-check";
import { TrustedProxies } from "./trusted-proxies.ts";

const proxies = new TrustedProxies(["10.0.0.0/8", "fd00::/8", "192.0.2.9"]);

const clientOf = (peer: string, headers: Record<string, string>) =>
  proxies.clientAddress(new Headers(headers), peer);

describe("the address of a client", () => {
  test.each([
    ["192.0.2.1", {}, "192.0.2.1"],
    ["::ffff:192.0.2.1", {}, "192.0.2.1"],
    ["2001:DB8::1", {}, "2001:db8::1"],
    ["", {}, undefined],
    // Whoever is no proxy of ours may claim what he likes.
    ["192.0.2.1", { "X-Forwarded-For": "203.0.113.7" }, "192.0.2.1"],
    ["192.0.2.1", { Forwarded: "for=203.0.113.7" }, "192.0.2.1"],
    // A proxy that says nothing is itself the client.
    ["10.0.0.1", {}, "10.0.0.1"],
    ["10.0.0.1", { "X-Forwarded-For": "203.0.113.7" }, "203.0.113.7"],
    ["::ffff:10.0.0.1", { "X-Forwarded-For": "203.0.113.7:4711" }, "203.0.113.7"],
    ["fd00::1", { "X-Forwarded-For": "[2001:db8::7]:4711" }, "2001:db8::7"],
    ["192.0.2.9", { "X-Forwarded-For": "2001:db8:0::7" }, "2001:db8::7"],
    // What stands further left was written by the client itself.
    ["10.0.0.1", { "X-Forwarded-For": "1.1.1.1, 203.0.113.7" }, "203.0.113.7"],
    ["10.0.0.1", { "X-Forwarded-For": "1.1.1.1, 203.0.113.7, 10.2.3.4" }, "203.0.113.7"],
    ["10.0.0.1", { "X-Forwarded-For": "10.9.9.9, 10.2.3.4" }, "10.9.9.9"],
    ["10.0.0.1", { "X-Forwarded-For": "203.0.113.7, unknown" }, undefined],
    ["10.0.0.1", { "X-Forwarded-For": "" }, undefined],
    ["10.0.0.1", { Forwarded: "for=203.0.113.7" }, "203.0.113.7"],
    ["10.0.0.1", { Forwarded: 'proto=https;For="[2001:db8::7]:4711";by=_x' }, "2001:db8::7"],
    ["10.0.0.1", { Forwarded: 'for=1.1.1.1;x="a,b;for=2.2.2.2", for=203.0.113.7' }, "203.0.113.7"],
    ["10.0.0.1", { Forwarded: "for=1.1.1.1, for=_hidden" }, undefined],
    ["10.0.0.1", { Forwarded: "proto=https" }, undefined],
    // A proxy writes one of the two: the other may be the client's own.
    ["10.0.0.1", { "X-Forwarded-For": "203.0.113.7", Forwarded: "for=1.1.1.1" }, undefined],
    ["10.0.0.1", { "X-Forwarded-For": "203.0.113.7", Forwarded: "for=203.0.113.7" }, "203.0.113.7"],
  ])("behind %s with %j is %s", (peer, headers, address) => {
    expect(clientOf(peer, headers)).toBe(address as string);
  });

  test("is never what an untrusted peer says, and no header throws", () => {
    const value = fc.oneof(
      fc.string({ unit: "grapheme-ascii" }),
      fc.stringMatching(/^(?:for=|[",;\\[\]:0-9. ])*$/),
    );
    fc.assert(
      fc.property(fc.ipV4(), value, value, (peer, one, other) => {
        const headers = new Headers();
        headers.set("X-Forwarded-For", one);
        headers.set("Forwarded", other);
        const address = proxies.clientAddress(headers, peer);
        const isProxy = peer.startsWith("10.") || peer === "192.0.2.9";
        if (!isProxy) expect(address).toBe(peer);
        proxies.clientAddress(headers, "10.0.0.1");
      }),
    );
  });
});

describe("the origin that a client wrote", () => {
  const originOf = (peer: string, headers: Record<string, string>) =>
    proxies.origin(new Request("http://gateway:8080/api/v1/links", { headers }), peer);
  const said = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "media.example.org" };
  test.each([
    ["192.0.2.1", said, "http://gateway:8080"],
    ["10.0.0.1", {}, "http://gateway:8080"],
    ["10.0.0.1", said, "https://media.example.org"],
    ["10.0.0.1", { "X-Forwarded-Proto": "https" }, "https://gateway:8080"],
    ["10.0.0.1", { "X-Forwarded-Host": "evil, a.example:8443" }, "http://a.example:8443"],
    ["10.0.0.1", { "X-Forwarded-Proto": "javascript" }, "http://gateway:8080"],
    ["10.0.0.1", { "X-Forwarded-Host": "a@b/c" }, "http://gateway:8080"],
    ["10.0.0.1", { "X-Forwarded-Host": "[::1]:80" }, "http://[::1]"],
    ["10.0.0.1", { "X-Forwarded-Host": "[" }, "http://gateway:8080"],
  ])("through %s with %j is %s", (peer, headers, origin) => {
    expect(originOf(peer, headers as Record<string, string>)).toBe(origin);
  });
});

test("what is no address of a proxy is BAD_CONFIG", () => {
  expect(() => new TrustedProxies(["proxy.example.org"])).toThrow(DsmError);
});
