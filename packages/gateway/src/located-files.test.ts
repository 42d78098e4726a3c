import { describe, expect, test } from "bun:test";
import type { LocatedFile, LocateFileOptions } from "@dsm/client";
import { DsmError, type ErrorCode, limits } from "@dsm/protocol";
import { LocatedFiles } from "./located-files.ts";
import { GatewayMetrics } from "./metrics.ts";

/** Trackers that answer when the test says so, and a clock that it sets. */
function setting(options: { freshnessMs?: number; outageGraceMs?: number } = {}) {
  const asked: PromiseWithResolvers<LocatedFile>[] = [];
  const terms: LocateFileOptions[] = [];
  const clock = { nowMs: 1_000_000 };
  const files = new LocatedFiles({
    client: {
      locateFile: (_user, _fileId, patience) => {
        if (patience !== undefined) terms.push(patience);
        const one = Promise.withResolvers<LocatedFile>();
        asked.push(one);
        return one.promise;
      },
    },
    freshnessMs: options.freshnessMs ?? 1_000,
    outageGraceMs: options.outageGraceMs ?? 60_000,
    metrics: new GatewayMetrics(),
    now: () => clock.nowMs,
  });
  const { signal } = new AbortController();
  const locate = () => files.locate("ann", "a/b", signal);
  return { asked, terms, clock, files, locate };
}

function version(number: number): LocatedFile {
  return { file: { version: number } } as LocatedFile;
}

function failure(code: ErrorCode): DsmError {
  return new DsmError(code, "as the test wants it");
}

const versionOf = async (located: Promise<LocatedFile>) => (await located).file.version;

/** Lets what waits for a settled promise go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("what is remembered of where a file is", () => {
  test("is given again until it is as old as the freshness, counted from the question", async () => {
    const { asked, clock, locate } = setting();
    const first = locate();
    clock.nowMs += 400;
    asked[0]!.resolve(version(1));
    expect(await versionOf(first)).toBe(1);
    clock.nowMs += 599;
    expect(await versionOf(locate())).toBe(1);
    expect(asked).toHaveLength(1);
    clock.nowMs += 1;
    const second = locate();
    expect(asked).toHaveLength(2);
    asked[1]!.resolve(version(2));
    expect(await versionOf(second)).toBe(2);
  });

  test("is nothing with a freshness of 0: each read asks", async () => {
    const { asked, locate } = setting({ freshnessMs: 0 });
    const both = [locate(), locate()];
    expect(asked).toHaveLength(2);
    asked[0]!.resolve(version(1));
    asked[1]!.resolve(version(2));
    expect(await Promise.all(both.map(versionOf))).toEqual([1, 2]);
    void locate();
    expect(asked).toHaveLength(3);
  });

  test("is forgotten at once, and so is an answer that was on its way", async () => {
    const { asked, files, locate } = setting();
    const early = locate();
    files.forget("ann", "a/b");
    const late = locate();
    expect(asked).toHaveLength(2);
    asked[1]!.resolve(version(2));
    asked[0]!.resolve(version(1));
    expect(await Promise.all([early, late].map(versionOf))).toEqual([1, 2]);
    await settle();
    expect(await versionOf(locate())).toBe(2);
    files.forget("ann", "a/b");
    void locate();
    expect(asked).toHaveLength(3);
  });

  test("is one question for requests at the same time, and never for one a freshness later", () => {
    const { asked, clock, locate } = setting();
    void locate();
    void locate();
    expect(asked).toHaveLength(1);
    clock.nowMs += 1_000;
    void locate();
    expect(asked).toHaveLength(2);
  });

  test("is nothing from the moment on in which the file expires", async () => {
    const { asked, clock, locate } = setting({ freshnessMs: 60_000 });
    const expiring = { file: { version: 1, expiresAtMs: clock.nowMs + 500 } } as LocatedFile;
    const first = locate();
    asked[0]!.resolve(expiring);
    expect(await versionOf(first)).toBe(1);
    clock.nowMs += 499;
    expect(await versionOf(locate())).toBe(1);
    clock.nowMs += 1;
    const late = locate();
    // A tracker whose clock is behind still names it.
    asked[1]!.resolve(expiring);
    expect(late).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await settle();
    const next = locate();
    asked[2]!.resolve(version(2));
    expect(await versionOf(next)).toBe(2);
  });

  test("is never that there is no such file", async () => {
    const { asked, locate } = setting();
    const first = locate();
    asked[0]!.reject(failure("FILE_NOT_FOUND"));
    expect(first).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await settle();
    const second = locate();
    asked[1]!.resolve(version(1));
    expect(await versionOf(second)).toBe(1);
  });

  test("who leaves stops waiting, and the others get their answer", async () => {
    const { asked, files, locate } = setting();
    const leaver = new AbortController();
    const left = files.locate("ann", "a/b", leaver.signal);
    const stays = locate();
    leaver.abort(new Error("gone"));
    expect(left).rejects.toThrow("gone");
    asked[0]!.resolve(version(1));
    expect(await versionOf(stays)).toBe(1);
  });
});

describe("while the catalog is down", () => {
  test("a file that was read shortly before goes on being served, and is asked for", async () => {
    const { asked, clock, locate } = setting();
    void locate();
    asked[0]!.resolve(version(1));
    await settle();
    clock.nowMs += 59_999;
    const first = locate();
    asked[1]!.reject(failure("CATALOG_UNAVAILABLE"));
    expect(await versionOf(first)).toBe(1);
    // However long it lasts, and without waiting for the catalog again.
    clock.nowMs += 3_600_000;
    expect(await versionOf(locate())).toBe(1);
    expect(asked).toHaveLength(3);
    asked[2]!.resolve(version(2));
    await settle();
    expect(await versionOf(locate())).toBe(2);
  });

  test("a file that was read long before is not: it may have been deleted meanwhile", async () => {
    const { asked, clock, locate } = setting();
    void locate();
    asked[0]!.resolve(version(1));
    await settle();
    clock.nowMs += 60_000;
    const first = locate();
    asked[1]!.reject(failure("CATALOG_UNAVAILABLE"));
    expect(first).rejects.toMatchObject({ code: "CATALOG_UNAVAILABLE" });
    await settle();
  });

  test("a file that is known to be gone does not come back", async () => {
    const { asked, clock, locate } = setting();
    void locate();
    asked[0]!.resolve(version(1));
    await settle();
    clock.nowMs += 1_000;
    locate().catch(() => {});
    asked[1]!.reject(failure("FILE_NOT_FOUND"));
    await settle();
    const third = locate();
    asked[2]!.reject(failure("CATALOG_UNAVAILABLE"));
    expect(third).rejects.toMatchObject({ code: "CATALOG_UNAVAILABLE" });
    await settle();
  });

  test("what is known is not held up by further tries once they have taken long", async () => {
    const { asked, terms, clock, locate } = setting();
    const first = locate();
    // Nothing is known that could be given instead.
    expect(terms[0]).toEqual({});
    asked[0]!.resolve(version(1));
    await first;
    clock.nowMs += 1_000;
    void locate();
    const { mayRepeat, mayWait } = terms[1]!;
    expect(mayWait).toBe(false);
    expect(mayRepeat?.(failure("CATALOG_UNAVAILABLE"))).toBe(true);
    clock.nowMs += limits.locatedRetryForMs;
    expect(mayRepeat?.(failure("CATALOG_UNAVAILABLE"))).toBe(false);
    expect(mayRepeat?.(failure("GROUP_UNAVAILABLE"))).toBe(true);
  });

  test("trackers that cannot be reached are no outage of the catalog", async () => {
    const { asked, clock, locate } = setting();
    void locate();
    asked[0]!.resolve(version(1));
    await settle();
    clock.nowMs += 1_000;
    const second = locate();
    asked[1]!.reject(failure("UNREACHABLE"));
    expect(second).rejects.toMatchObject({ code: "UNREACHABLE" });
    await settle();
  });
});
