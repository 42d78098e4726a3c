import { expect, test } from "bun:test";
import fc from "fast-check";
import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";
import { parseLinkRequest } from "./link-request.ts";

const nowMs = 1_700_000_000_000;
const good = { user: "alice", fileId: "a/b.mp4", expiresInS: 60 };

test("a request becomes the terms of a link", () => {
  expect(parseLinkRequest(good, nowMs)).toMatchObject({
    user: "alice",
    scope: { fileId: "a/b.mp4" },
    expiresAtMs: nowMs + 60_000,
  });
  const all = {
    user: "alice",
    prefix: "a/",
    expiresAtMs: nowMs + 1,
    notBeforeMs: nowMs,
    downloadOnly: true,
    clientAddress: "::1",
  };
  const { user, prefix, ...terms } = all;
  expect(parseLinkRequest(all, nowMs)).toEqual({ user, scope: { prefix }, ...terms });
});

const tooFarMs = nowMs + limits.linkTtlMaxS * 1_000 + 1;
test.each([
  [{ ...good, user: "a b" }, "user: not a valid name"],
  [{ ...good, fileId: "../x" }, "fileId: not a valid file id"],
  [{ ...good, prefix: "a/" }, "give fileId or prefix, one of the two"],
  [{ user: "a", expiresInS: 1 }, "give fileId or prefix, one of the two"],
  [{ user: "a", fileId: "b" }, "give expiresInS or expiresAtMs, one of the two"],
  [{ ...good, expiresAtMs: nowMs }, "give expiresInS or expiresAtMs, one of the two"],
  [{ user: "a", fileId: "b", expiresAtMs: nowMs }, "expiresAtMs: it is in the past"],
  [{ user: "a", fileId: "b", expiresAtMs: tooFarMs }, "expiresAtMs: it is more than 315360000"],
  [{ ...good, expiresInS: 0 }, "expiresInS: "],
  [{ ...good, expiresInS: 1.5 }, "expiresInS: "],
  [{ ...good, expiresInS: "60" }, "expiresInS: "],
  [{ ...good, downloadOnly: 1 }, "downloadOnly: "],
  [{ ...good, expires: 1 }, "expires"],
  [[], ""],
  [null, ""],
])("%j is refused with the field", (request, words) => {
  expect(() => parseLinkRequest(request, nowMs)).toThrow(
    expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringContaining(words) }),
  );
});

test("no JSON at all is an error of another kind", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(() => parseLinkRequest(value, nowMs)).toThrow(DsmError);
    }),
  );
});
