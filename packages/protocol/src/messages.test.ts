import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { blobIdFromNumber } from "./blob-id.ts";
import { encodeFrame } from "./frame.ts";
import { limits } from "./limits.ts";
import { type MessageName, messageNameOf, messages, roles } from "./messages.ts";

const names = Object.keys(messages) as MessageName[];

describe("the message table", () => {
  test("gives every message a type of its own that fits the header", () => {
    const types = names.map((name) => messages[name].type);
    expect(new Set(types).size).toBe(names.length);
    expect(types.filter((type) => !Number.isInteger(type) || type < 1 || type > 0xffff)).toEqual(
      [],
    );
  });

  test("finds every message by its type, and none by another number", () => {
    expect(names.map((name) => messageNameOf(messages[name].type))).toEqual(names);
    const types = new Set<number>(names.map((name) => messages[name].type));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (type) => {
        expect(messageNameOf(type) !== undefined).toBe(types.has(type));
      }),
    );
  });

  test.each(names)("%s is served and asked by someone, and says what it is for", (name) => {
    const { servedBy, askedBy, doc } = messages[name];
    expect(name).toMatch(/^[a-z]+$/);
    expect([...servedBy, ...askedBy].filter((role) => !roles.includes(role))).toEqual([]);
    expect([
      servedBy.length > 0,
      askedBy.length > 0,
      doc.endsWith(".") || doc.includes("? "),
    ]).toEqual([true, true, true]);
  });

  test.each(names)("%s takes no JSON but its own", (name) => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer(), fc.constant(null)), (body) => {
        expect(messages[name].request.safeParse(body).success).toBe(false);
        expect(messages[name].response.safeParse(body).success).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});

test("the longest page of a list fits in one frame", () => {
  const file = {
    user: "u".repeat(limits.userMaxChars),
    // The longest in JSON that a file id can be: every character escaped.
    fileId: '"'.repeat(limits.fileIdMaxBytes),
    group: "g".repeat(limits.userMaxChars),
    blobId: blobIdFromNumber(Number.MAX_SAFE_INTEGER),
    version: Number.MAX_SAFE_INTEGER,
    sizeBytes: limits.fileMaxBytes,
    sha256: "f".repeat(64),
    mediaType: "m".repeat(limits.mediaTypeMaxChars),
    modifiedAtMs: Number.MAX_SAFE_INTEGER,
  };
  const body = { files: Array.from({ length: limits.listMax }, () => file), next: file.fileId };
  expect(messages.list.response.safeParse(body).success).toBe(true);
  const { type } = messages.list;
  const bytes = encodeFrame({ kind: "response", type, requestId: 1, body });
  expect(bytes.length).toBeLessThan(limits.frameMaxBytes);
});
