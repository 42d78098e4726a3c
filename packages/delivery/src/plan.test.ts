import { describe, expect, test } from "bun:test";
import { DsmError, limits } from "@dsm/protocol";
import { planResponse } from "./plan.ts";
import { privatePolicy, type ServingPolicy, servingPolicy } from "./policy.ts";
import { sampleFile } from "./testing/sample-file.ts";

const etag = `"${"ab".repeat(32)}"`;

const common = {
  "accept-ranges": "bytes",
  "cache-control": "no-cache",
  "content-disposition": "inline; filename=\"caf_.mp4\"; filename*=UTF-8''caf%C3%A9.mp4",
  "content-type": "video/mp4",
  etag,
  "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
  "repr-digest": "sha-256=:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=:",
  "x-content-type-options": "nosniff",
};

function plan(headers: Record<string, string>, method = "GET", file = sampleFile) {
  const { error, ...rest } = planResponse(
    { method, headers: new Headers(headers), download: false, keepsLength: false },
    file,
  );
  return error === undefined ? rest : { ...rest, code: error.code };
}

describe("planResponse", () => {
  test("RFC 9110, section 15.3.1: the whole file", () => {
    expect(plan({})).toEqual({
      status: 200,
      headers: { ...common, "content-length": "1000" },
      body: { start: 0, endExclusive: 1000 },
    });
  });

  test("RFC 9110, section 15.3.7.1: one part", () => {
    expect(plan({ Range: "bytes=10-19" })).toEqual({
      status: 206,
      headers: { ...common, "content-length": "10", "content-range": "bytes 10-19/1000" },
      body: { start: 10, endExclusive: 20 },
    });
  });

  test("RFC 9110, section 15.3.7.2: several parts", () => {
    const { headers, body, status } = plan({ Range: "bytes=0-9,-10" });
    const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(
      new Headers(headers).get("content-type") ?? "",
    )?.[1];
    expect(status).toBe(206);
    const lengthBytes = body !== undefined && "parts" in body ? body.lengthBytes : 0;
    expect(headers).toEqual({
      ...common,
      "content-length": `${lengthBytes}`,
      "content-type": `multipart/byteranges; boundary=${boundary}`,
    });
  });

  test("RFC 9110, section 15.5.17: no such part", () => {
    expect(plan({ Range: "bytes=1000-" })).toEqual({
      status: 416,
      headers: { "accept-ranges": "bytes", "content-range": "bytes */1000" },
      code: "RANGE_NOT_SATISFIABLE",
    });
  });

  test("RFC 9110, section 15.4.5: not modified", () => {
    expect(plan({ "If-None-Match": etag, Range: "bytes=5000-" })).toEqual({
      status: 304,
      headers: { etag, "cache-control": "no-cache" },
    });
  });

  test("RFC 9110, section 15.5.13: precondition failed", () => {
    expect(plan({ "If-Match": '"old"', Range: "bytes=5000-" })).toEqual({
      status: 412,
      headers: {},
      code: "PRECONDITION_FAILED",
    });
  });

  test("RFC 9110, section 13.1.5: a part of another version is the whole of this one", () => {
    expect(plan({ "If-Range": '"old"', Range: "bytes=10-19" })).toEqual(plan({}));
    expect(plan({ "If-Range": etag, Range: "bytes=10-19" })).toEqual(
      plan({ Range: "bytes=10-19" }),
    );
    expect(plan({ "If-Range": '"old"' })).toEqual(plan({}));
  });

  test("RFC 9110, section 9.3.2: HEAD has the headers of GET", () => {
    const { body, ...head } = { body: undefined, ...plan({}) };
    expect(body).toBeDefined();
    expect(plan({}, "HEAD")).toEqual(head);
  });

  test("RFC 9110, section 14.2: a Range with HEAD is ignored", () => {
    expect(plan({ Range: "bytes=10-19" }, "HEAD")).toEqual(plan({}, "HEAD"));
    expect(plan({ Range: "bytes=5000-" }, "HEAD")).toEqual(plan({}, "HEAD"));
  });

  test("an empty file has a length and no body", () => {
    expect(plan({}, "GET", { ...sampleFile, sizeBytes: 0 })).toEqual({
      status: 200,
      headers: { ...common, "content-length": "0" },
    });
  });
});

describe("the policy of the operator", () => {
  const policy = servingPolicy({ cacheControl: "public, max-age=60", vary: ["X-A", "X-B"] });
  const planned = (headers: Record<string, string>, under: ServingPolicy) => {
    const request = { method: "GET", headers: new Headers(headers), download: false };
    return new Headers(planResponse({ ...request, keepsLength: false }, sampleFile, under).headers);
  };

  test.each<[number, Record<string, string>]>([
    [200, {}],
    [206, { Range: "bytes=0-1" }],
    [206, { Range: "bytes=0-1,-1" }],
    [304, { "If-None-Match": etag }],
  ])("a %d says it", (_status, headers) => {
    const said = planned(headers, policy);
    expect([said.get("cache-control"), said.get("vary")]).toEqual([
      "public, max-age=60",
      "X-A, X-B",
    ]);
  });

  test("errors are kept by nobody", () => {
    expect(planned({ Range: "bytes=1000-" }, policy).get("cache-control")).toBeNull();
    expect(planned({ "If-Match": '"x"' }, policy).get("vary")).toBeNull();
  });

  test.each<[string, string]>([
    ["no-cache", "private, no-cache"],
    ["public, max-age=60", "private, no-cache"],
    ["max-age=60, x=private-not", "private, no-cache"],
    ["private, max-age=60", "private, max-age=60"],
    ["max-age=60,PRIVATE", "max-age=60,PRIVATE"],
    ["no-store", "no-store"],
  ])("RFC 9111, section 5.2.2.7: %p is %p where reading needs a right", (configured, used) => {
    expect(privatePolicy(servingPolicy({ cacheControl: configured })).cacheControl).toBe(used);
  });
});

describe("what a browser would run is sandboxed", () => {
  test.each<[string, boolean]>([
    ["text/html", true],
    ["TEXT/HTML; charset=utf-8", true],
    ["application/xhtml+xml", true],
    ["image/svg+xml", true],
    ["image/SVG+XML; a=b", true],
    ["text/xml", true],
    ["application/xml", true],
    ["text/javascript", true],
    ["application/x-unheard-of", true],
    ["video/mp4", false],
    ["audio/mpeg", false],
    ["image/png", false],
    ["text/plain", false],
    ["application/pdf", false],
  ])("%s: %p", (mediaType, sandboxed) => {
    const headers: Record<string, string> = plan({}, "GET", { ...sampleFile, mediaType }).headers;
    expect(headers["content-security-policy"]).toBe(sandboxed ? "sandbox" : (undefined as never));
  });
});

describe("RFC 6266 and RFC 8187: the name of a download", () => {
  test.each<[string, string]>([
    ["a.mp4", 'attachment; filename="a.mp4"'],
    ["x/y/a b.mp4", 'attachment; filename="a b.mp4"'],
    ['a"b\\c.mp4', "attachment; filename=\"a_b_c.mp4\"; filename*=UTF-8''a%22b%5Cc.mp4"],
    ["50%41.mp4", "attachment; filename=\"50_41.mp4\"; filename*=UTF-8''50%2541.mp4"],
    ["(é)'*.mp4", "attachment; filename=\"(_)'*.mp4\"; filename*=UTF-8''%28%C3%A9%29%27%2A.mp4"],
    ["𝄞.mp3", "attachment; filename=\"_.mp3\"; filename*=UTF-8''%F0%9D%84%9E.mp3"],
  ])("%p", (fileId, expected) => {
    const request = { method: "GET", headers: new Headers(), download: true, keepsLength: false };
    const { headers } = planResponse(request, { ...sampleFile, fileId });
    expect(headers["content-disposition"]).toBe(expected);
  });
});

describe("a file with bad pieces", () => {
  const { pieceBytes } = limits;
  const sizeBytes = 6 * pieceBytes;
  // Pieces 1 and 3 are bad, so the bytes of pieces 0, 2, 4 and 5 can be served.
  const file = { ...sampleFile, sizeBytes, damage: "1,3" };

  function outcome(headers: Record<string, string>, method = "GET", of = file) {
    try {
      return plan(headers, method, of).status;
    } catch (error) {
      if (error instanceof DsmError) return `${error.code} ${error.message}`;
      throw error;
    }
  }
  const range = (start: number, last: number) => ({ Range: `bytes=${start}-${last}` });

  test("serves what does not touch them, to the byte", () => {
    expect(outcome(range(0, pieceBytes - 1))).toBe(206);
    expect(outcome(range(2 * pieceBytes, 3 * pieceBytes - 1))).toBe(206);
    expect(outcome({ Range: `bytes=${4 * pieceBytes}-` })).toBe(206);
    expect(outcome({ Range: `bytes=0-9,${4 * pieceBytes}-${4 * pieceBytes + 9}` })).toBe(206);
  });

  test("refuses what does, and says which bytes", () => {
    const bad = `bytes ${pieceBytes}-${2 * pieceBytes - 1} of ada/clips/café.mp4 are damaged`;
    expect(outcome({})).toContain(`DATA_CORRUPT ${bad}`);
    expect(outcome({}, "HEAD")).toContain(`DATA_CORRUPT ${bad}`);
    expect(outcome(range(0, 6 * pieceBytes))).toContain(`DATA_CORRUPT ${bad}`);
    const first = `bytes ${pieceBytes}-${pieceBytes} of`;
    expect(outcome(range(0, pieceBytes))).toContain(`DATA_CORRUPT ${first}`);
    const last = `bytes ${4 * pieceBytes - 1}-${4 * pieceBytes - 1} of`;
    expect(outcome(range(4 * pieceBytes - 1, 5 * pieceBytes))).toContain(`DATA_CORRUPT ${last}`);
    expect(outcome({ Range: `bytes=0-9,${pieceBytes + 5}-${pieceBytes + 9}` })).toContain(
      `DATA_CORRUPT bytes ${pieceBytes + 5}-${pieceBytes + 9} of`,
    );
  });

  test("of which nobody knows the bad pieces is not served at all", () => {
    const unknown = { ...file, damage: "*" };
    expect(outcome(range(7, 7), "GET", unknown)).toContain("DATA_CORRUPT bytes 7-7 of");
    expect(outcome({}, "GET", unknown)).toContain(`DATA_CORRUPT bytes 0-${sizeBytes - 1} of`);
  });

  test("answers as ever where no byte of it is sent", () => {
    expect(outcome({ "If-None-Match": etag })).toBe(304);
    expect(outcome({ "If-Match": '"old"' })).toBe(412);
    expect(outcome(range(sizeBytes, sizeBytes + 1))).toBe(416);
  });
});
