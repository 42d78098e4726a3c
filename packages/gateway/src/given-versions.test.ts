import { describe, expect, test } from "bun:test";
import { type FileInfo, limits } from "@dsm/protocol";
import { blindness, GivenVersions, type Reader } from "./given-versions.ts";

const ann: Reader = { address: "10.0.0.1", userAgent: "wget" };
const version = (number: number, fileId = "f") =>
  ({ user: "u", fileId, sha256: `${number}`.padStart(64, "0") }) as FileInfo;

function give(given: GivenVersions, reader: Reader, file: FileInfo): boolean {
  const look = given.look(reader, file);
  look.remember();
  return look.hadAnother;
}

describe("the versions that readers were given", () => {
  test("tell once that a reader had another one before", () => {
    const given = new GivenVersions();
    const told = [1, 1, 2, 2, 1].map((number) => give(given, ann, version(number)));
    expect(told).toEqual([false, false, true, false, true]);
  });

  test("are those that were remembered, not those that were looked at", () => {
    const given = new GivenVersions();
    give(given, ann, version(1));
    expect([1, 2, 3].map(() => given.look(ann, version(2)).hadAnother)).toEqual([true, true, true]);
  });

  test("are told apart by address, by user agent and by file", () => {
    const given = new GivenVersions();
    give(given, ann, version(1));
    expect(give(given, { ...ann, address: "10.0.0.2" }, version(2))).toBe(false);
    expect(give(given, { ...ann, userAgent: "mpv" }, version(2))).toBe(false);
    expect(give(given, ann, version(2, "g"))).toBe(false);
    expect(give(given, ann, version(2))).toBe(true);
  });

  test("are no more than the limit, and the latest of them", () => {
    const given = new GivenVersions();
    for (let i = 0; i <= limits.givenVersionsMax; i++) give(given, ann, version(1, `${i}`));
    expect(give(given, ann, version(2, `${limits.givenVersionsMax}`))).toBe(true);
    expect(give(given, ann, version(2, "0"))).toBe(false);
  });
});

test.each([
  ["bytes=5-", {}, "resume"],
  ["Bytes=5- ", {}, "resume"],
  ["bytes=-5", {}, "part"],
  ["bytes=5-9", {}, "part"],
  ["BYTES=1-2,0-0", {}, "part"],
  ["bytes=0-", {}, undefined],
  ["bytes=00-9", {}, undefined],
  ["bytes=5-", { "if-range": '"a"' }, undefined],
  ["bytes=5-", { "if-match": '"a"' }, undefined],
  [undefined, {}, undefined],
] as const)("%p with %p is blind: %p", (range, others, expected) => {
  const headers = new Headers(others);
  if (range !== undefined) headers.set("range", range);
  expect(blindness(headers)).toBe(expected);
});
