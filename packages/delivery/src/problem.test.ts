import { expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { problemResponse } from "./problem.ts";

test("RFC 9457: an error becomes problem JSON with its code and remedy", async () => {
  const error = new DsmError("DRAINING", "storage s1 stops", { remedy: "ask another" });
  const response = problemResponse(error, { "x-extra": "1" });
  expect(response.status).toBe(503);
  expect(Object.fromEntries(response.headers)).toEqual({
    "cache-control": "no-store",
    "content-length": "139",
    "content-type": "application/problem+json",
    "retry-after": "1",
    "x-extra": "1",
  });
  expect(await response.json()).toEqual({
    type: "urn:dsm:error:DRAINING",
    title: "Shutting down",
    status: 503,
    detail: "storage s1 stops",
    code: "DRAINING",
    remedy: "ask another",
  });
});

test("RFC 9110, section 15.5.2: a 401 names a scheme, and nothing else does", () => {
  const challenge = (code: "UNAUTHENTICATED" | "FORBIDDEN") =>
    problemResponse(new DsmError(code, "x")).headers.get("www-authenticate");
  expect([challenge("UNAUTHENTICATED"), challenge("FORBIDDEN")]).toEqual([
    'Bearer realm="dsm"',
    null,
  ]);
});

test("an INTERNAL error tells nothing of its inside", async () => {
  const error = DsmError.from(new Error("/secret/path"), "reading");
  expect(await problemResponse(error).text()).not.toContain("secret");
});

const retryAfter = (code: "FILE_NOT_FOUND" | "OVERLOADED" | "CONFLICT") =>
  problemResponse(new DsmError(code, "x")).headers.get("retry-after");

test("only what may help by asking again has Retry-After", () => {
  expect([retryAfter("FILE_NOT_FOUND"), retryAfter("CONFLICT"), retryAfter("OVERLOADED")]).toEqual([
    null,
    null,
    "1",
  ]);
});
