import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import fc from "fast-check";
import {
  assertWriteAllowed,
  evaluatePreconditions,
  type PreconditionResult,
  rangeApplies,
  validatorsOf,
} from "./conditional.ts";
import { sampleFile } from "./testing/sample-file.ts";

const current = { etag: '"now"', modifiedAtMs: 784_111_777_250, dateIsStrong: true };
const before = "Sun, 06 Nov 1994 08:49:36 GMT";
const exactly = "Sun, 06 Nov 1994 08:49:37 GMT";
const after = "Sun, 06 Nov 1994 08:49:38 GMT";

type Row = [Record<string, string>, PreconditionResult];

const evaluate = (method: string, headers: Record<string, string>, on = current) =>
  evaluatePreconditions({ method, headers: new Headers(headers) }, on);

describe.each(["GET", "HEAD", "PUT", "DELETE"])(
  "RFC 9110, section 13.1.1: If-Match, %s",
  (method) => {
    test.each<Row>([
      [{}, "serve"],
      [{ "If-Match": '"now"' }, "serve"],
      [{ "If-Match": '"old", "now"' }, "serve"],
      [{ "If-Match": ',"old" ,, "now"' }, "serve"],
      [{ "If-Match": "*" }, "serve"],
      [{ "If-Match": '"old"' }, "failed"],
      [{ "If-Match": 'W/"now"' }, "failed"],
      [{ "If-Match": "now" }, "failed"],
      [{ "If-Match": '"now' }, "failed"],
      [{ "If-Match": '"old""now"' }, "failed"],
      [{ "If-Match": '*, "now"' }, "failed"],
      [{ "If-Match": "" }, "failed"],
      [{ "If-Match": "*\u00a0" }, "failed"],
      [{ "If-Match": '\u00a0"now"' }, "failed"],
    ])("%p: %s", (headers, result) => {
      expect(evaluate(method, headers)).toBe(result);
    });
  },
);

describe.each(["GET", "PUT"])("RFC 9110, section 13.1.4: If-Unmodified-Since, %s", (method) => {
  test.each<Row>([
    [{ "If-Unmodified-Since": after }, "serve"],
    [{ "If-Unmodified-Since": exactly }, "serve"],
    [{ "If-Unmodified-Since": before }, "failed"],
    [{ "If-Unmodified-Since": "yesterday" }, "serve"],
    [{ "If-Unmodified-Since": before, "If-Match": '"now"' }, "serve"],
  ])("%p: %s", (headers, result) => {
    expect(evaluate(method, headers)).toBe(result);
  });
});

describe("RFC 9110, section 13.1.2: If-None-Match", () => {
  const rows: [Record<string, string>, PreconditionResult, PreconditionResult][] = [
    [{ "If-None-Match": '"now"' }, "not-modified", "failed"],
    [{ "If-None-Match": 'W/"now"' }, "not-modified", "failed"],
    [{ "If-None-Match": '"old", W/"now"' }, "not-modified", "failed"],
    [{ "If-None-Match": "*" }, "not-modified", "failed"],
    [{ "If-None-Match": '"old"' }, "serve", "serve"],
    [{ "If-None-Match": '"a,b", "now"' }, "not-modified", "failed"],
    [{ "If-None-Match": "now" }, "serve", "failed"],
  ];
  test.each(rows)("%p: %s to a read, %s to a write", (headers, read, write) => {
    expect([evaluate("GET", headers), evaluate("HEAD", headers)]).toEqual([read, read]);
    expect([evaluate("PUT", headers), evaluate("DELETE", headers)]).toEqual([write, write]);
  });
});

describe("RFC 9110, section 13.1.3: If-Modified-Since", () => {
  test.each<Row>([
    [{ "If-Modified-Since": before }, "serve"],
    [{ "If-Modified-Since": exactly }, "not-modified"],
    [{ "If-Modified-Since": after }, "not-modified"],
    [{ "If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT" }, "not-modified"],
    [{ "If-Modified-Since": "Sun Nov  6 08:49:37 1994" }, "not-modified"],
    [{ "If-Modified-Since": "yesterday" }, "serve"],
    [{ "If-Modified-Since": after, "If-None-Match": '"old"' }, "serve"],
    [{ "If-Modified-Since": before, "If-None-Match": '"now"' }, "not-modified"],
  ])("%p: %s", (headers, result) => {
    expect(evaluate("GET", headers)).toBe(result);
  });

  test.each(["PUT", "DELETE"])("is ignored with %s", (method) => {
    expect(evaluate(method, { "If-Modified-Since": after })).toBe("serve");
  });
});

describe("RFC 9110, section 13.2.2: precedence", () => {
  test.each<Row>([
    [{ "If-Match": '"old"', "If-None-Match": '"now"' }, "failed"],
    [{ "If-Match": '"now"', "If-None-Match": '"now"' }, "not-modified"],
    [{ "If-Match": '"old"', "If-Unmodified-Since": after }, "failed"],
    [{ "If-Unmodified-Since": before, "If-None-Match": '"old"' }, "failed"],
    [{ "If-Unmodified-Since": exactly, "If-Modified-Since": exactly }, "not-modified"],
  ])("%p: %s", (headers, result) => {
    expect(evaluate("GET", headers)).toBe(result);
  });
});

describe("RFC 9110, section 13.1: where there is no file", () => {
  test.each<Row>([
    [{ "If-Match": "*" }, "failed"],
    [{ "If-Match": '"now"' }, "failed"],
    [{ "If-None-Match": "*" }, "serve"],
    [{ "If-None-Match": '"now"' }, "serve"],
    [{ "If-Unmodified-Since": before }, "serve"],
  ])("%p: %s", (headers, result) => {
    const request = { method: "PUT", headers: new Headers(headers) };
    expect(evaluatePreconditions(request, undefined)).toBe(result);
  });
});

describe("RFC 9110, section 13.1.5: If-Range", () => {
  test.each<[string | undefined, boolean]>([
    [undefined, true],
    ['"now"', true],
    ['"old"', false],
    ['W/"now"', false],
    ['"now", "old"', false],
    ["*", false],
    ["now", false],
    [exactly, true],
    [before, false],
    [after, false],
    ["yesterday", false],
  ])("%p: %p", (value, applies) => {
    const headers = new Headers(value === undefined ? {} : { "If-Range": value });
    expect(rangeApplies(headers, current)).toBe(applies);
  });

  test("a date is no strong validator of a version that may share it (section 8.8.2.2)", () => {
    const headers = new Headers({ "If-Range": exactly });
    expect(rangeApplies(headers, { ...current, dateIsStrong: false })).toBe(false);
    expect(validatorsOf(sampleFile).dateIsStrong).toBe(true);
    expect(validatorsOf({ ...sampleFile, version: 2 }).dateIsStrong).toBe(false);
  });
});

describe("assertWriteAllowed", () => {
  const name = { user: "ada", fileId: "a" };
  const refusal = (headers: Record<string, string>, file: typeof sampleFile | undefined) => {
    try {
      assertWriteAllowed(new Headers(headers), file, name);
      return undefined;
    } catch (error) {
      return error instanceof DsmError ? [error.code, error.message] : error;
    }
  };

  test("says what stands in the way", () => {
    expect([
      refusal({}, sampleFile),
      refusal({ "If-None-Match": "*" }, undefined),
      refusal({ "If-None-Match": "*" }, sampleFile),
      refusal({ "If-Match": '"old"' }, sampleFile),
      refusal({ "If-Match": "*" }, undefined),
    ]).toEqual([
      undefined,
      undefined,
      ["FILE_EXISTS", "ada/a exists"],
      ["PRECONDITION_FAILED", "ada/a is another version"],
      ["PRECONDITION_FAILED", "ada/a does not exist"],
    ]);
  });
});

test("no header makes the evaluation throw", () => {
  const value = fc.string({ unit: fc.constantFrom(...'W/"*, abnow\\é'), maxLength: 30 });
  const headers = fc.dictionary(
    fc.constantFrom("if-match", "if-none-match", "if-range", "if-modified-since"),
    value,
  );
  fc.assert(
    fc.property(headers, fc.constantFrom("GET", "PUT"), (record, method) => {
      const request = { method, headers: { get: (name: string) => record[name] ?? null } };
      expect(["serve", "not-modified", "failed"]).toContain(
        evaluatePreconditions(request, current),
      );
      expect(rangeApplies(request.headers, current)).toBeBoolean();
    }),
  );
});
