import { expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { type LinkFlags, linkRequestOf, restricts } from "./link-terms.ts";

const nowMs = Date.parse("2026-11-22T12:00:00Z");
const film = { fileid: "a/b.mp4", user: "ann" };

test("flags become a request; an hour unless said", () => {
  expect(linkRequestOf(film, nowMs)).toEqual({
    user: "ann",
    fileId: "a/b.mp4",
    expiresAtMs: nowMs + 3_600_000,
  });
  const all: LinkFlags = {
    ...film,
    prefix: true,
    expires: "2026-12-24T18:00:00+01:00",
    "not-before": "10m",
    "download-only": true,
    "client-address": "::FFFF:192.0.2.1",
  };
  expect(linkRequestOf(all, nowMs)).toEqual({
    user: "ann",
    prefix: "a/b.mp4/",
    expiresAtMs: Date.parse("2026-12-24T17:00:00Z"),
    notBeforeMs: nowMs + 600_000,
    downloadOnly: true,
    clientAddress: "192.0.2.1",
  });
});

test("a folder may be named with its slash or without, and all files by none", () => {
  const prefixOf = (fileid: string) => linkRequestOf({ ...film, fileid, prefix: true }, nowMs);
  expect(["a", "a/", "", "/"].map((it) => prefixOf(it).prefix)).toEqual(["a/", "a/", "", ""]);
});

test.each([
  [{ expires: "1" }, '--expires: "1" is wrong: it has no unit'],
  [{ expires: "0s" }, '--expires: "0s" is wrong: it is less than 1ms'],
  [{ expires: "3651d" }, '--expires: "3651d" is wrong: it is more than 3650d'],
  [{ expires: "2026-13-01T00:00Z" }, '"2026-13-01T00:00Z" is wrong: it is no time'],
  [{ expires: "2026-12-24" }, '"2026-12-24" is wrong: it is no time'],
  [{ expires: "2026-12-24T18:00" }, '"2026-12-24T18:00" is wrong: it is no time'],
  [{ expires: "2026-11-22T12:00Z" }, "is wrong: it is not within ten years from now"],
  [{ "not-before": "2h" }, "the link would expire before it begins"],
  [{ "client-address": "example.org" }, '--client-address: "example.org" is no IP address'],
  [{ user: "a b" }, '"a b" is not a user name'],
  [{ fileid: "" }, '"" is not a file id'],
  [{ fileid: "a//", prefix: true }, '"a/" is not a file id'],
])("%j is wrong usage", (flags, words) => {
  let thrown: unknown;
  try {
    linkRequestOf({ ...film, ...flags }, nowMs);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(DsmError);
  expect((thrown as DsmError).message).toContain(words);
  expect((thrown as DsmError).exit).toBe(2);
});

test("more than the bare URL is asked for by any flag that is given", () => {
  expect(restricts({ ...film, prefix: false })).toBe(false);
  const flags = [
    { prefix: true },
    { expires: "1h" },
    { "not-before": "1h" },
    { "download-only": true },
    { "client-address": "::1" },
  ];
  expect(flags.map((it) => restricts({ ...film, ...it }))).toEqual(flags.map(() => true));
});
