import { describe, expect, test } from "bun:test";
import { DsmError } from "./errors.ts";
import { LinkKeys } from "./link-keys.ts";
import { bearsLink, type MediaLink, openLink, parseReadTarget, signLink } from "./media-link.ts";

const secret = "0123456789abcdef0123456789abcdef";
const keys = new LinkKeys([{ id: "k1", secret }]);
const nowMs = 1_700_000_000_000;
const film: MediaLink = {
  user: "alice",
  scope: { fileId: "films/ä b.mp4" },
  expiresAtMs: nowMs + 60_000,
};
const show: MediaLink = { ...film, scope: { prefix: "show/s1/" } };

function open(url: string, terms: { keys?: LinkKeys; nowMs?: number; address?: string } = {}) {
  const clientAddress = () => terms.address;
  const target = parseReadTarget(url);
  return openLink(terms.keys ?? keys, target, { nowMs: terms.nowMs ?? nowMs, clientAddress });
}

const refusal = (why: string) =>
  expect.objectContaining({ code: "FORBIDDEN", message: `the link is refused: ${why}` });
const changed = "it was changed, or its key is not known here (any more)";

describe("a link", () => {
  // Both signatures were computed by Python's hmac from what docs/OPERATIONS.md says.
  test("keeps its form, so that links that are out stay good", () => {
    const signed = signLink(new LinkKeys([{ id: "2026-11", secret }]), {
      ...film,
      notBeforeMs: nowMs,
      downloadOnly: true,
      clientAddress: "::ffff:192.0.2.1",
    });
    expect(signed).toEqual({
      path:
        "/media/alice/films/%C3%A4%20b.mp4?exp=1700000060&nbf=1700000000&dl=1&ip=192.0.2.1" +
        "&kid=2026-11&sig=rpaRADTme5r48ckgfrb9gNYI_1pM2uS_RTHpQK8_TMU",
      keyId: "2026-11",
      expiresAtMs: nowMs + 60_000,
      notBeforeMs: nowMs,
    });
  });

  test("for a prefix bears its parameters in the path, and the rest is appended", () => {
    const { path } = signLink(keys, show);
    expect(path).toBe(
      "/media/~exp=1700000060&pre=2&kid=k1&sig=4TT8dppmytELoY_QOj9Elt4RZSn6wFhI9pLQl4q9LKQ/alice/show/s1/",
    );
    const playlist = new URL(path, "https://cdn.example.org/").href.concat("hd/index.m3u8");
    for (const relative of ["seg%201.ts", "../sd/index.m3u8?download=1", "../../s1/x"]) {
      expect(open(new URL(relative, playlist).href)).toEqual({
        downloadOnly: false,
        expiresAtMs: film.expiresAtMs,
      });
    }
    for (const outside of ["../../s2/x", "../../../x", "../../s1"]) {
      expect(() => open(new URL(outside, playlist).href)).toThrow(DsmError);
    }
  });

  test("is rounded to whole seconds, never to less time than was asked for", () => {
    const times = { expiresAtMs: nowMs + 1, notBeforeMs: nowMs - 1 };
    const { path, ...signed } = signLink(keys, { ...film, ...times });
    expect(signed).toEqual({
      keyId: "k1",
      expiresAtMs: nowMs + 1_000,
      notBeforeMs: nowMs - 1_000,
    });
    expect(open(path)).toEqual({ downloadOnly: false, expiresAtMs: nowMs + 1_000 });
  });

  test("is good from its first second to before its last", () => {
    const { path } = signLink(keys, { ...film, notBeforeMs: nowMs });
    expect(() => open(path, { nowMs: nowMs - 1 })).toThrow(
      refusal("it is good from 2023-11-14T22:13:20.000Z on"),
    );
    open(path, { nowMs });
    open(path, { nowMs: film.expiresAtMs - 1 });
    expect(() => open(path, { nowMs: film.expiresAtMs })).toThrow(
      refusal("it expired at 2023-11-14T22:14:20.000Z"),
    );
  });

  test("for an address is good from there alone, however it is written", () => {
    for (const clientAddress of ["192.0.2.1", "::ffff:192.0.2.1"]) {
      const { path } = signLink(keys, { ...film, clientAddress });
      expect(open(path, { address: "192.0.2.1" }).clientAddress).toBe("192.0.2.1");
      const why = "it is for another address than the one that asks";
      expect(() => open(path, { address: "192.0.2.2" })).toThrow(refusal(why));
      expect(() => open(path)).toThrow(refusal(why));
    }
  });

  test("is not bound to scheme, host and port, nor to what else is in the query", () => {
    const { path } = signLink(keys, film);
    for (const base of ["", "http://a:1", "https://b.example.org"]) {
      for (const more of ["", "&download=1", "&utm_source=x&download=0"]) {
        expect(open(base + path + more).downloadOnly).toBe(false);
      }
    }
  });

  test("may stand in the query or in the path, but not in both", () => {
    const { path } = signLink(keys, show);
    const written = /~([^/]*)/.exec(path)?.[1] ?? "";
    open(`/media/alice/show/s1/x?${written}`);
    open(`/media/~${written}/alice/show/s1/x`);
    open(`/media/%7E${written.replaceAll("=", "%3D").replaceAll("&", "%26")}/alice/show/s1/x`);
    expect(() => open(`/media/~${written}/alice/show/s1/x?${written}`)).toThrow(
      refusal("it has exp more than once"),
    );
  });

  test("of a key that is gone is refused with the words for a wrong signature", () => {
    const { path } = signLink(keys, film);
    const rotated = [
      { id: "k2", secret: "n".repeat(32) },
      { id: "k1", secret },
    ];
    open(path, { keys: new LinkKeys(rotated) });
    const rings = [[], rotated.slice(0, 1), [{ id: "k1", secret: "n".repeat(32) }]];
    for (const ring of rings) {
      expect(() => open(path, { keys: new LinkKeys(ring) })).toThrow(refusal(changed));
    }
  });

  test("for all files of a user opens none of another", () => {
    const { path } = signLink(keys, { ...film, scope: { prefix: "" } });
    open(`${path}a`);
    open(`${path}a/b`);
    expect(() => open(`${path.replace("alice", "bob")}a`)).toThrow(refusal(changed));
  });

  test("for a file never passes as one for a prefix of the same name, nor the other way", () => {
    const forFile = signLink(keys, { ...film, scope: { fileId: "a" } }).path;
    const forPrefix = signLink(keys, { ...film, scope: { prefix: "a/" } }).path;
    const [, ofPrefix = ""] = /~([^/]*)/.exec(forPrefix) ?? [];
    expect(() => open(`${forFile.replace("/a?", "/a/b?")}&pre=1`)).toThrow(refusal(changed));
    expect(() => open(`/media/alice/a?${ofPrefix}`)).toThrow(
      refusal("the file is not below its prefix"),
    );
    expect(() => open(`/media/alice/ab/x?${ofPrefix}`)).toThrow(refusal(changed));
  });

  test.each([
    ["&exp=1700000060", "it has exp more than once"],
    ["&nbf=x", "its nbf is malformed"],
    ["&nbf=", "its nbf is malformed"],
    ["&dl=0", "its dl is malformed"],
    ["&ip=a%20b", "its ip is malformed"],
    ["&ip=192.0.2.1", changed],
    ["&pre=0", changed],
    ["&nbf=1", changed],
    ["&dl=1", changed],
  ])("with %s appended is refused", (more, why) => {
    expect(() => open(signLink(keys, film).path + more)).toThrow(refusal(why));
  });

  test.each([
    ["kid=k1", "it has no exp"],
    ["sig=x", "its sig is malformed"],
    ["exp=1&kid=k1", "it has no sig"],
    [`exp=1&sig=${"x".repeat(43)}`, "it has no kid"],
    [`exp=01&kid=k1&sig=${"x".repeat(43)}`, "its exp is malformed"],
  ])("of %s alone is refused", (query, why) => {
    expect(() => open(`/media/alice/x?${query}`)).toThrow(refusal(why));
  });

  test("is borne by what has a signature or the id of a key", () => {
    expect(
      ["sig=", "kid=1", "dl=1&exp=2", ""].map((it) => bearsLink(new URLSearchParams(it))),
    ).toEqual([true, true, false, false]);
    // A tilde begins no user name, so what bears no link there is no path of a file.
    expect(() => parseReadTarget("/media/~dl=1/alice/x")).toThrow(
      expect.objectContaining({ code: "BAD_NAME" }),
    );
  });
});

test.each([
  [{ scope: { prefix: "a" } }, 'its prefix must be empty or end with "/"'],
  [{ scope: { prefix: "/" } }, "its prefix is none: it is empty"],
  [{ scope: { prefix: "a//" } }, "its prefix is none: it has an empty segment"],
  [{ scope: { prefix: "../" } }, 'its prefix is none: it has a segment ".."'],
  [{ notBeforeMs: nowMs + 60_000 }, "it would end before it begins"],
  [{ clientAddress: "example.org" }, "its client address is no IP address"],
  [{ expiresAtMs: 0 }, "its exp is out of bounds"],
  [{ expiresAtMs: Number.NaN }, "its exp is out of bounds"],
  [{ expiresAtMs: 1e15 }, "its exp is out of bounds"],
  [{ notBeforeMs: -1 }, "its nbf is out of bounds"],
])("no link is made with %j", (terms, why) => {
  expect(() => signLink(keys, { ...film, ...terms })).toThrow(
    expect.objectContaining({
      code: "BAD_REQUEST",
      message: `no such link can be made: ${why}`,
    }),
  );
});

test("no link is made for a bad name, nor without a key", () => {
  const codes = [
    () => signLink(keys, { ...film, user: "a b" }),
    () => signLink(keys, { ...film, scope: { fileId: "" } }),
    () => signLink(keys, { ...film, scope: { prefix: `${"x".repeat(511)}/` } }),
    () => signLink(new LinkKeys([]), film),
  ].map((sign) => {
    try {
      return sign().path;
    } catch (error) {
      return (error as DsmError).code;
    }
  });
  expect(codes).toEqual(["BAD_NAME", "BAD_NAME", "BAD_NAME", "BAD_CONFIG"]);
});
