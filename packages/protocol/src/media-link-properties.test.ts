import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { canonicalAddress } from "./ip-address.ts";
import { LinkKeys } from "./link-keys.ts";
import { type MediaLink, openLink, parseReadTarget, signLink } from "./media-link.ts";
import { mediaPath } from "./media-target.ts";

const keys = new LinkKeys([{ id: "k1", secret: "0123456789abcdef0123456789abcdef" }]);
const nowMs = 1_700_000_000_000;

const user = fc.stringMatching(/^[a-z0-9_-][a-z0-9._-]{0,8}$/);
const segment = fc.string({
  unit: fc.constantFrom(..."ab%?#&=~é日💿 +:."),
  minLength: 1,
  maxLength: 6,
});
const fileId = fc
  .array(
    segment.filter((it) => it !== "." && it !== ".."),
    { minLength: 1, maxLength: 4 },
  )
  .map((segments) => segments.join("/"));
const folders = fileId.map((it) =>
  it
    .split("/")
    .slice(0, -1)
    .map((name) => `${name}/`)
    .join(""),
);
/** A link with a file that it opens. */
const linked = fc
  .record({
    user,
    folder: folders,
    name: segment.filter((it) => it !== "." && it !== ".."),
    isPrefix: fc.boolean(),
    lifeS: fc.integer({ min: 1, max: 1e9 }),
    agoS: fc.option(fc.integer({ min: 0, max: 1e9 })),
    downloadOnly: fc.boolean(),
    clientAddress: fc.oneof(fc.constant(undefined), fc.ipV4(), fc.constant("2001:db8::1")),
  })
  .map(({ folder, name, isPrefix, lifeS, agoS, ...rest }) => {
    const link: MediaLink = {
      ...rest,
      scope: isPrefix ? { prefix: folder } : { fileId: folder + name },
      expiresAtMs: nowMs + lifeS * 1_000,
      notBeforeMs: agoS === null ? undefined : nowMs - agoS * 1_000,
    };
    const { path } = signLink(keys, link);
    return { link, url: isPrefix ? path + encodeURIComponent(name) : path };
  });

/** Whoever asks has the address that the link names, so that the signature alone decides. */
function open(url: string) {
  const target = parseReadTarget(url);
  const clientAddress = () => canonicalAddress(target.query.get("ip") ?? "");
  return openLink(keys, target, { nowMs, clientAddress });
}

function opens(url: string): boolean {
  try {
    open(url);
    return true;
  } catch (error) {
    if (!(error instanceof DsmError)) throw error;
    return false;
  }
}

describe("of any link", () => {
  test("what was signed opens, with what it grants", () => {
    fc.assert(
      fc.property(linked, ({ link, url }) => {
        const { downloadOnly, expiresAtMs, clientAddress } = link;
        expect(open(url)).toEqual({
          downloadOnly: downloadOnly ?? false,
          expiresAtMs,
          ...(clientAddress === undefined ? {} : { clientAddress }),
        });
      }),
    );
  });

  test("every bound field that is changed, dropped, added or doubled refuses", () => {
    const values = {
      exp: "1999999999",
      nbf: "1",
      dl: "1",
      ip: "203.0.113.9",
      pre: "0",
      kid: "k2",
      sig: "x".repeat(43),
    };
    fc.assert(
      fc.property(linked, fc.constantFrom(...Object.keys(values)), ({ url }, name) => {
        const { user: owner, fileId: file, query } = parseReadTarget(url);
        const value = values[name as keyof typeof values];
        const edits = [
          query.get(name) === value ? undefined : (it: URLSearchParams) => it.set(name, value),
          query.has(name) ? (it: URLSearchParams) => it.delete(name) : undefined,
          (it: URLSearchParams) => it.append(name, it.get(name) ?? value),
        ];
        for (const edit of edits) {
          const edited = new URLSearchParams(query);
          edit?.(edited);
          expect(opens(`${mediaPath(owner, file)}?${edited.toString()}`)).toBe(edit === undefined);
        }
      }),
    );
  });

  test("a file that it is not for refuses", () => {
    fc.assert(
      fc.property(linked, user, fileId, (it, otherUser, otherFile) => {
        const { query, user: owner, fileId: own } = parseReadTarget(it.url);
        const { scope } = it.link;
        const within = (id: string) =>
          "prefix" in scope ? id.startsWith(scope.prefix) : id === scope.fileId;
        const ask = (u: string, f: string) => opens(`${mediaPath(u, f)}?${query.toString()}`);
        expect(ask(otherUser, own)).toBe(otherUser === owner);
        expect(ask(owner, otherFile)).toBe(within(otherFile));
      }),
    );
  });

  test("no text at all is an error of another kind", () => {
    const piece = fc.oneof(
      fc.constantFrom("exp=1", "&", "=", "~", "kid=k1", "sig=", "/media/", "%", "pre=3", "?"),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect(opens(`/media/${pieces.join("")}`)).toBe(false);
        expect(opens(`/media/~sig=${pieces.join("")}/alice/x`)).toBe(false);
      }),
    );
  });
});
