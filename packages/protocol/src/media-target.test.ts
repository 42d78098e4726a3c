import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";
import { mediaPath, parseMediaTarget } from "./media-target.ts";
import { fileIdFault, isName } from "./names.ts";

function codeOf(url: string): string {
  try {
    const { user, fileId } = parseMediaTarget(url);
    return `${user} ${fileId}`;
  } catch (error) {
    return error instanceof DsmError ? error.code : String(error);
  }
}

describe("parseMediaTarget", () => {
  test.each<[string, string]>([
    ["/media/ada/a.mp4", "ada a.mp4"],
    ["http://host:8080/media/ada/a.mp4", "ada a.mp4"],
    ["https://[::1]/media/ada/a.mp4?download=1#t=3", "ada a.mp4"],
    ["/media/ada/x/y/z", "ada x/y/z"],
    ["/media/ada/x%2Fy", "ada x/y"],
    ["/media/ada/caf%C3%A9", "ada café"],
    ["/media/ada/café", "ada café"],
    ["/media/ada/%EF%BB%BFa", "ada \uFEFFa"],
    ["/media/%61da/a", "ada a"],
    ["/media/ada/a+b%20c", "ada a+b c"],
    ["/media/ada/100%25", "ada 100%"],
    ["/media/ada/a%3Fb", "ada a?b"],
    ["/media/ada/...", "ada ..."],
    ["/", "UNKNOWN_ROUTE"],
    ["", "UNKNOWN_ROUTE"],
    ["/media", "UNKNOWN_ROUTE"],
    ["/media/ada", "UNKNOWN_ROUTE"],
    ["/media/ada?x=/y", "UNKNOWN_ROUTE"],
    ["/Media/ada/a", "UNKNOWN_ROUTE"],
    ["/%6Dedia/ada/a", "UNKNOWN_ROUTE"],
    ["//media/ada/a", "UNKNOWN_ROUTE"],
    ["/media/ada/", "BAD_NAME"],
    ["/media//a", "BAD_NAME"],
    ["/media/.ada/a", "BAD_NAME"],
    ["/media/a%2Fb/a", "BAD_NAME"],
    ["/media/ada/../x", "BAD_NAME"],
    ["/media/ada/%2e%2e/x", "BAD_NAME"],
    ["/media/ada/x%2F..%2Fy", "BAD_NAME"],
    ["/media/ada/a//b", "BAD_NAME"],
    ["/media/ada/a/", "BAD_NAME"],
    ["/media/ada/%00", "BAD_NAME"],
    ["/media/ada/%0a", "BAD_NAME"],
    ["/media/ada/%C2%85", "BAD_NAME"],
    ["/media/ada/%", "BAD_NAME"],
    ["/media/ada/%4", "BAD_NAME"],
    ["/media/ada/%zz", "BAD_NAME"],
    ["/media/ada/%u0041", "BAD_NAME"],
    ["/media/ada/%FF", "BAD_NAME"],
    ["/media/ada/%C0%AF", "BAD_NAME"],
    ["/media/ada/%E0%80%AF", "BAD_NAME"],
    ["/media/ada/%ED%A0%80", "BAD_NAME"],
    ["/media/ada/\uD800", "BAD_NAME"],
    [`/media/ada/${"a".repeat(513)}`, "BAD_NAME"],
    [`/media/ada/${"a".repeat(limits.urlMaxBytes)}`, "URI_TOO_LONG"],
  ])("%p: %s", (url, expected) => {
    expect(codeOf(url)).toBe(expected);
  });

  test("the query comes along", () => {
    expect(parseMediaTarget("/media/ada/a?download=1&x=%20").query.get("download")).toBe("1");
    expect([...parseMediaTarget("/media/ada/a").query]).toEqual([]);
  });
});

describe("mediaPath", () => {
  test("encodes all but unreserved characters and slashes", () => {
    expect(mediaPath("ada", "a b/(c)!*'/é?#%.mp4")).toBe(
      "/media/ada/a%20b/%28c%29%21%2A%27/%C3%A9%3F%23%25.mp4",
    );
  });

  test("refuses what is no name", () => {
    expect(() => mediaPath("ada", "..")).toThrow(DsmError);
    expect(() => mediaPath("a/b", "a")).toThrow(DsmError);
  });

  const user = fc
    .string({ unit: fc.constantFrom(..."abzAZ09._-"), minLength: 1, maxLength: 64 })
    .filter(isName);
  const char = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.constantFrom(..."/%?#&+ ;:@!'()*\\.\uFEFF"),
  );
  const fileId = fc
    .array(char, { minLength: 1, maxLength: 40 })
    .map((chars) => chars.join(""))
    .filter((id) => fileIdFault(id) === undefined);

  test("is the inverse of parseMediaTarget, also through URL", () => {
    fc.assert(
      fc.property(user, fileId, (u, id) => {
        const path = mediaPath(u, id);
        expect(path).toMatch(/^[A-Za-z0-9._~%/-]+$/);
        for (const url of [path, `http://h${path}?a=b`, new URL(path, "http://h").href]) {
          expect(parseMediaTarget(url)).toMatchObject({ user: u, fileId: id });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("nothing but a DsmError is ever thrown", () => {
    const tail = fc.string({ unit: fc.constantFrom(..."/%0fFCAé.a?#\u0000\uD800") });
    fc.assert(
      fc.property(tail, (text) => {
        expect(codeOf(`/media/ada/${text}`)).not.toContain("Error:");
      }),
      { numRuns: 2000 },
    );
  });
});
