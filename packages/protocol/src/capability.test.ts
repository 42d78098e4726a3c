import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { blobIdFromNumber } from "./blob-id.ts";
import {
  assertCovers,
  type CapabilityClaims,
  openCapability,
  signCapability,
} from "./capability.ts";
import { DsmError } from "./errors.ts";
import type { FileInfo } from "./file-info.ts";
import { limits } from "./limits.ts";
import { mediaPath } from "./media-target.ts";
import { clusterSecret } from "./secret.ts";

const secret = clusterSecret("0123456789abcdef0123456789abcdef");
const foreign = clusterSecret("ffffffffffffffffffffffffffffffff");
const nowMs = 1_700_000_000_000;
const claims: CapabilityClaims = {
  intent: "read",
  user: "alice",
  group: "g1",
  fileId: "film/ä.mp4",
  expiresAtMs: nowMs + 1,
};
const pinned: CapabilityClaims = {
  ...claims,
  file: {
    user: "alice",
    fileId: "film/ä.mp4",
    group: "g1",
    blobId: blobIdFromNumber(5),
    version: 2,
    sizeBytes: 3,
    sha256: "0".repeat(64),
    mediaType: "video/mp4",
    modifiedAtMs: 4,
  },
};

/** A token over any payload with a good signature, as only a holder of the secret can make. */
function signed(payload: string): string {
  return `${payload}.${secret.prove("capability v1", [payload])}`;
}

const hash = "A".repeat(43);

/** Payloads that are right but for what is put in or over. */
function writtenWith(over: object): string {
  const written = { i: "r", u: "alice", g: "g1", e: nowMs + 1, ...over };
  return Buffer.from(JSON.stringify(written)).toString("base64url");
}

const refusal = (why: string) =>
  expect.objectContaining({
    code: "FORBIDDEN",
    message: `the capability is refused: ${why}`,
    remedy: "locate the file again: ask a tracker, or the gateway that redirected here",
  });

const anyText = fc.string({
  unit: fc.constantFrom(...'aé日💿 %."\\'),
  minLength: 5,
  maxLength: 40,
});
const anyName = fc.stringMatching(/^[a-z0-9]{1,64}$/);
const yes = fc.option(fc.constant(true as const), { nil: undefined });

const anyClaims: fc.Arbitrary<CapabilityClaims> = fc
  .record({
    claims: fc.record({
      intent: fc.constantFrom("read", "write", "delete"),
      user: anyName,
      group: anyName,
      fileId: fc.option(anyText, { nil: undefined }),
      expiresAtMs: fc.integer({ min: nowMs + 1, max: Number.MAX_SAFE_INTEGER }),
      isPublic: yes,
      isWatched: yes,
      isRaw: yes,
      downloadOnly: yes,
      clientAddress: fc.option(fc.constantFrom("192.0.2.1", "2001:db8::1"), { nil: undefined }),
    }),
    version: fc.option(
      fc.record({
        blobId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(blobIdFromNumber),
        version: fc.integer({ min: 1 }),
        sizeBytes: fc.maxSafeNat(),
        sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
        mediaType: fc.string({ maxLength: 127 }),
        modifiedAtMs: fc.maxSafeNat(),
        expiresAtMs: fc.option(fc.maxSafeNat(), { nil: undefined }),
        damage: fc.option(fc.constantFrom("*", "3,17-20"), { nil: undefined }),
      }),
      { nil: undefined },
    ),
  })
  .map(({ claims: made, version }) => {
    const { user, group, fileId } = made;
    if (version === undefined || fileId === undefined) return made;
    const { expiresAtMs, damage, ...always } = version;
    const file: FileInfo = {
      user,
      group,
      fileId,
      ...always,
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      ...(damage === undefined ? {} : { damage }),
    };
    return { ...made, file };
  });

describe("a capability", () => {
  test("opens with what was signed, until it expires", () => {
    const token = signCapability(secret, pinned);
    expect(openCapability(secret, token, nowMs)).toEqual(pinned);
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
    for (const atMs of [nowMs + 1, nowMs + 1e9]) {
      expect(() => openCapability(secret, token, atMs)).toThrow(refusal("it has expired"));
    }
  });

  test("of another cluster is refused", () => {
    const token = signCapability(foreign, claims);
    expect(() => openCapability(secret, token, nowMs)).toThrow(
      refusal("its signature was not made with this cluster's secret"),
    );
  });

  test("is no handshake proof, and a handshake proof is none", () => {
    const [payload = ""] = signCapability(secret, claims).split(".");
    for (const purpose of ["server proof", "asker proof"]) {
      const token = `${payload}.${secret.prove(purpose, [payload])}`;
      expect(() => openCapability(secret, token, nowMs)).toThrow(DsmError);
    }
  });

  test("with any character changed, added or removed is refused", () => {
    const token = signCapability(secret, pinned);
    for (let at = 0; at < token.length; at++) {
      const flipped = String.fromCharCode(token.charCodeAt(at) ^ 1);
      const spoiled = [
        token.slice(0, at) + flipped + token.slice(at + 1),
        token.slice(0, at) + token.slice(at + 1),
        `${token.slice(0, at)}A${token.slice(at)}`,
      ].filter((text) => text !== token);
      for (const text of spoiled) {
        expect(() => openCapability(secret, text, nowMs)).toThrow(
          expect.objectContaining({ code: "FORBIDDEN" }),
        );
      }
    }
  });

  test.each([
    ["nothing", ""],
    ["one part", "abc"],
    ["a dot", "."],
    ["three parts", `${signCapability(secret, claims)}.x`],
  ])("of %s is refused", (_what, token) => {
    expect(() => openCapability(secret, token, nowMs)).toThrow(
      expect.objectContaining({ code: "FORBIDDEN" }),
    );
  });

  test.each([
    ["no JSON", Buffer.from("{no").toString("base64url")],
    ["no base64", "%%%%"],
    ["nothing", ""],
    ["broken UTF-8", Buffer.from([0xff, 0xfe]).toString("base64url")],
    ["null", Buffer.from("null").toString("base64url")],
    ["other claims", Buffer.from('{"intent":"own"}').toString("base64url")],
    ["claims and one more", writtenWith({ x: 1 })],
    ["an intent that is none", writtenWith({ i: "x" })],
    ["a name that is none", writtenWith({ u: ".." })],
    ["a version of no file", writtenWith({ v: [blobIdFromNumber(1), 1, 1, hash, "a/b", 1] })],
    ["a short digest", writtenWith({ f: "f", v: [blobIdFromNumber(1), 1, 1, "A", "a/b", 1] })],
    ["a blob id that is a path", writtenWith({ f: "f", v: ["../../x", 1, 1, hash, "a/b", 1] })],
  ])("with a good signature over %s is refused", (_what, payload) => {
    expect(() => openCapability(secret, signed(payload), nowMs)).toThrow(
      refusal("its claims are not of this version"),
    );
  });

  test("of any text at all, signed or not, is FORBIDDEN and no other error", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.boolean(), (text, sign) => {
        const token = sign ? signed(text) : text;
        expect(() => openCapability(secret, token, nowMs)).toThrow(
          expect.objectContaining({ code: "FORBIDDEN" }),
        );
      }),
    ));

  test("of any claims that are signed opens with these claims", () =>
    fc.assert(
      fc.property(anyClaims, (any) => {
        expect(openCapability(secret, signCapability(secret, any), nowMs)).toEqual(any);
      }),
    ));

  test("is not signed for a version of another file", () => {
    const { file, ...rest } = pinned;
    for (const other of [
      { user: "bob" },
      { group: "g2" },
      { fileId: "x" },
      { fileId: undefined },
    ]) {
      expect(() => signCapability(secret, { ...rest, file, ...other })).toThrow(TypeError);
    }
  });

  test("with every claim and the longest names leaves room in a URL", () => {
    const longest = '"'.repeat(limits.fileIdMaxBytes);
    const names = { user: "u".repeat(64), group: "g".repeat(64), fileId: longest };
    const file = { ...pinned.file!, ...names, mediaType: "m".repeat(limits.mediaTypeMaxChars) };
    const token = signCapability(secret, {
      ...names,
      intent: "read",
      file,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
      isPublic: true,
      isWatched: true,
      isRaw: true,
      downloadOnly: true,
      clientAddress: "2001:db8:1111:2222:3333:4444:5555:6666",
    });
    const url = `https://${"h".repeat(253)}:65535${mediaPath(names.user, longest)}?capability=${token}`;
    expect(url.length).toBeLessThan(limits.urlMaxBytes / 2);
    expect(signCapability(secret, pinned).length).toBeLessThan(320);
  });
});

describe("claims cover", () => {
  const request = {
    intent: "read",
    group: "g1",
    user: "alice",
    fileId: "film/ä.mp4",
    remoteAddress: "192.0.2.1",
  } as const;

  test("the request that they were made for", () => {
    assertCovers(claims, request);
    const { fileId: _, ...ofUser } = claims;
    assertCovers(ofUser, { ...request, fileId: "anything" });
  });

  test.each([
    [{ intent: "write" as const }, "it is for read only"],
    [{ intent: "delete" as const }, "it is for read only"],
    [{ group: "g2" }, "it is for group g1"],
    [{ user: "bob" }, "it is for another user"],
    [{ fileId: "film/a.mp4" }, "it is for another file"],
  ])("no request with %j", (change, why) => {
    expect(() => assertCovers(claims, { ...request, ...change })).toThrow(refusal(why));
  });

  test("the one client address that they name, in whatever form it comes", () => {
    const bound = { ...claims, clientAddress: "192.0.2.1" };
    for (const remoteAddress of ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:C000:201"]) {
      assertCovers(bound, { ...request, remoteAddress });
    }
    const why = "it is for another address than the one that asks";
    for (const remoteAddress of ["192.0.2.2", "::1", ""]) {
      expect(() => assertCovers(bound, { ...request, remoteAddress })).toThrow(refusal(why));
    }
  });
});
