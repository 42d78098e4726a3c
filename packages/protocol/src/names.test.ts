import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";
import { assertFileId, assertGroup, assertUser, fileIdFault, isName } from "./names.ts";

describe("names of users, groups and storages", () => {
  test.each(["a", "Z", "0", "_", "-", "a.b", "a..", "-.-", "x".repeat(64), "A-Za-z0-9._-"])(
    "%j is one",
    (name) => {
      expect([isName(name), assertUser(name), assertGroup(name)]).toEqual([true, name, name]);
    },
  );

  test.each([
    "",
    ".",
    "..",
    ".a",
    "a b",
    "a/b",
    "ä",
    "a\n",
    "\na",
    "a\0",
    "x".repeat(65),
    "a:b",
    "a%41",
    "a@b",
    "ａ",
    "a\u200d",
  ])("%j is none", (name) => {
    expect(isName(name)).toBe(false);
    for (const assert of [assertUser, assertGroup]) {
      expect(() => assert(name)).toThrow(
        expect.objectContaining({
          code: "BAD_NAME",
          remedy: "use 1 to 64 of A-Z a-z 0-9 . _ - with no leading dot",
        }),
      );
    }
  });

  test("are what the contract says and nothing else", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 70 }),
          fc.string({ unit: fc.constantFrom(..."aZ0._-/ é"), maxLength: 70 }),
        ),
        (value) => {
          const allowed = new Set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
          );
          const fits = value.length >= 1 && value.length <= 64 && !value.startsWith(".");
          expect(isName(value)).toBe(fits && [...value].every((char) => allowed.has(char)));
        },
      ),
    ));
});

/** Code points below 0x20 and from 0x7f to 0x9f are the control characters. */
function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

describe("file ids", () => {
  test.each([
    "a",
    "a/b/c.mp4",
    "…",
    "a b",
    ".hidden",
    "...",
    "a/..b",
    "a/b..",
    "~",
    "C:\\x",
    "%2e%2e",
    "日本/映画.mkv",
    "e\u0301",
    "\u00e9",
    "x".repeat(512),
    "é".repeat(256),
    "💿".repeat(128),
    "a\u2028b",
    "?q#f",
    " ",
  ])("%j is one, byte for byte", (id) => {
    expect(fileIdFault(id)).toBeUndefined();
    expect(assertFileId(id)).toBe(id);
  });

  test.each([
    ["", "it is empty"],
    ["/", "it has an empty segment"],
    ["/a", "it has an empty segment"],
    ["a/", "it has an empty segment"],
    ["a//b", "it has an empty segment"],
    [".", 'it has a segment "."'],
    ["..", 'it has a segment ".."'],
    ["a/../b", 'it has a segment ".."'],
    ["a/.", 'it has a segment "."'],
    ["a\0b", "it holds a control character"],
    ["a\nb", "it holds a control character"],
    ["a\u007f", "it holds a control character"],
    ["a\u0085", "it holds a control character"],
    ["\ud800", "it is not valid Unicode"],
    ["a\udc00", "it is not valid Unicode"],
    ["x".repeat(513), "it has 513 bytes of UTF-8 and at most 512 are allowed"],
    [`${"é".repeat(256)}x`, "it has 513 bytes of UTF-8 and at most 512 are allowed"],
  ])("%j is none: %s", (id, fault) => {
    expect(fileIdFault(id)).toBe(fault);
    expect(() => assertFileId(id)).toThrow(DsmError);
    expect(() => assertFileId(id)).toThrow(fault);
  });

  test("that are accepted satisfy the contract, and only those", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 600 }),
          fc.string({ unit: fc.constantFrom("a", ".", "/", "é", "\u0007"), maxLength: 12 }),
        ),
        (id) => {
          const sizeBytes = new TextEncoder().encode(id).length;
          const rules = [
            sizeBytes >= 1 && sizeBytes <= limits.fileIdMaxBytes,
            new TextDecoder().decode(new TextEncoder().encode(id)) === id,
            ![...id].some((char) => isControl(char.codePointAt(0) ?? 0)),
            id.split("/").every((segment) => !["", ".", ".."].includes(segment)),
          ];
          expect(fileIdFault(id) === undefined).toBe(rules.every(Boolean));
        },
      ),
      { numRuns: 500 },
    ));

  test("that are bad are shown short, quoted and on one line", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (id) => {
        fc.pre(fileIdFault(id) !== undefined);
        try {
          assertFileId(id);
        } catch (thrown) {
          const { message } = thrown as Error;
          expect(message.length).toBeLessThan(700);
          expect(message).not.toContain("\n");
        }
      }),
    ));
});
