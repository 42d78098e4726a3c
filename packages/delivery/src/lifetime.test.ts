import { describe, expect, test } from "bun:test";
import { blobIdFromNumber, type FileInfo } from "@dsm/protocol";
import fc from "fast-check";
import { lifetimeHeaders } from "./lifetime.ts";
import { planResponse } from "./plan.ts";
import { servingPolicy } from "./policy.ts";

const nowMs = Date.UTC(2026, 10, 23, 12, 0, 0);

const forever: FileInfo = {
  user: "ann",
  fileId: "f",
  group: "g1",
  blobId: blobIdFromNumber(1),
  version: 1,
  sizeBytes: 3,
  sha256: "0".repeat(64),
  mediaType: "text/plain",
  modifiedAtMs: 1_000,
};

function cacheControl(written: string, leftMs: number): string | undefined {
  const file = { ...forever, expiresAtMs: nowMs + leftMs };
  return lifetimeHeaders(file, servingPolicy({ cacheControl: written }), nowMs)["cache-control"];
}

describe("an answer with a file that expires", () => {
  test("is fresh no longer than the file lives", () => {
    expect(cacheControl("public, max-age=3600, s-maxage=86400, immutable", 90_900)).toBe(
      "public, max-age=90, s-maxage=90, immutable",
    );
    expect(cacheControl('private="a, max-age=9", Max-Age="60"', 10_000)).toBe(
      'private="a, max-age=9", Max-Age=10',
    );
    expect(cacheControl("max-age=60", -5)).toBe("max-age=0");
    expect(cacheControl("max-age=60", 3_600_000)).toBe("max-age=60");
    expect(cacheControl("no-cache", 10_000)).toBe("no-cache");
  });

  test("is never served stale", () => {
    const written = "max-age=60, stale-while-revalidate=600, Stale-If-Error=86400";
    expect(cacheControl(written, 3_600_000)).toBe("max-age=60");
  });

  test("says when that is, so that no cache has to guess", () => {
    const file = { ...forever, expiresAtMs: nowMs + 60_000 };
    const headers = lifetimeHeaders(file, servingPolicy({ cacheControl: "public" }), nowMs);
    expect(headers).toEqual({
      "cache-control": "public",
      expires: "Mon, 23 Nov 2026 12:01:00 GMT",
    });
  });

  test("whatever lifetimes are configured, none passes its end", () => {
    const names = fc.constantFrom("max-age", "s-maxage", "MAX-AGE");
    const ages = fc.array(fc.tuple(names, fc.nat({ max: 1e9 })), { maxLength: 4 });
    fc.assert(
      fc.property(ages, fc.nat({ max: 1e10 }), (directives, leftMs) => {
        const written = directives.map(([name, age]) => `${name}=${age}`).join(",");
        for (const [, age] of (cacheControl(written, leftMs) ?? "").matchAll(/=(\d+)/g)) {
          expect(Number(age) * 1_000).toBeLessThanOrEqual(leftMs);
        }
      }),
    );
  });

  test("tells less each time it is asked, and a 304 the same as a 200", async () => {
    const file = { ...forever, expiresAtMs: Date.now() + 10_000 };
    const policy = servingPolicy({ cacheControl: "max-age=60" });
    const plan = (headers: Record<string, string>) =>
      planResponse(
        { method: "GET", headers: new Headers(headers), download: false, keepsLength: true },
        file,
        policy,
      );
    const first = plan({});
    expect(first.headers["cache-control"]).toMatch(/^max-age=(?:9|10)$/);
    await Bun.sleep(1_100);
    const second = plan({});
    expect(second.headers["cache-control"]).toMatch(/^max-age=[78]$/);
    const again = plan({ "If-None-Match": `"${file.sha256}"` });
    expect(again.status).toBe(304);
    expect(again.headers["expires"]).toBe(new Date(file.expiresAtMs).toUTCString());
    expect(first.headers["expires"]).toBe(new Date(file.expiresAtMs).toUTCString());
  });
});

test("an answer with a file that never expires says what is configured", () => {
  const policy = servingPolicy({ cacheControl: "max-age=60, stale-if-error=9", vary: ["Origin"] });
  expect(lifetimeHeaders(forever, policy, nowMs)).toEqual({
    "cache-control": "max-age=60, stale-if-error=9",
    vary: "Origin",
  });
});
