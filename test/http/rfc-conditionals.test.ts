import { describe, expect, test } from "bun:test";
import { statusByModel, type Truth } from "./conditional-model.ts";
import { dates, shelf, type Shelved, shelfOnTargets } from "./shelf.ts";
import { targetNames } from "./targets.ts";
import { type Field, fieldOf } from "./wire.ts";

const targets = shelfOnTargets();

/** A value of a header, and what it says of the file. */
type Saying = readonly [value: string, truth: Truth];

const other = '"0000"';

/** RFC 9110, section 13.1.1: strong comparison. */
const ifMatch = ({ etag }: Shelved): Saying[] => [
  [etag, true],
  ["*", true],
  [`${other}, ${etag}`, true],
  [`${other}\t,\t,${etag},`, true],
  [`"a,b", ${etag}`, true],
  [other, false],
  [`W/${etag}`, false],
  [etag.slice(1, -1), false],
  [etag.toUpperCase(), etag.toUpperCase() === etag],
  ['""', false],
];

/** Section 13.1.2: weak comparison; the condition is that none matches. */
const ifNoneMatch = ({ etag }: Shelved): Saying[] => [
  [other, true],
  ['""', true],
  [`${etag.slice(0, -1)}x"`, true],
  [`"a${etag.slice(1)}`, true],
  [etag, false],
  [`W/${etag}`, false],
  ["*", false],
  [`${other},W/${etag}`, false],
  [`, ,${etag}`, false],
];

/** Sections 13.1.3 and 5.6.7: in all three forms; what is no date is as if it were not there. */
const ifModifiedSince: Saying[] = [
  [dates.earlier, true],
  [dates.same, false],
  [dates.later, false],
  ["Thursday, 29-Feb-24 23:59:58 GMT", false],
  ["Thu Feb 29 23:59:58 2024", false],
  ["Thursday, 29-Feb-24 23:59:57 GMT", true],
  ["Thu Feb 29 23:59:57 2024", true],
  ["Sat, 29 Oct 1994 19:43:31 GMT", true],
  // RFC 9110, section 13.1.3, forgives a date that lies ahead.
  ["Fri, 31 Dec 2999 23:59:59 GMT", false],
  ["yesterday", undefined],
  ["", undefined],
  ["0", undefined],
  ["2024-02-29T23:59:58Z", undefined],
  ["Thu, 29 Feb 2024 23:59:58 +0000", undefined],
  ["Thu, 29 Feb 2024 23:59:58", undefined],
  ["thu, 29 feb 2024 23:59:58 gmt", undefined],
  ["Wed, 30 Feb 2024 00:00:00 GMT", undefined],
];

/** Section 13.1.4: the other way around. */
const ifUnmodifiedSince: Saying[] = ifModifiedSince.map(([value, truth]) => [
  value,
  truth === undefined ? undefined : !truth,
]);

/** Section 13.1.5: strong comparison, or exactly the date where that is strong (8.8.2.2). */
const ifRange = ({ etag, version }: Shelved): Saying[] => [
  [etag, true],
  [other, false],
  [`W/${etag}`, false],
  ["*", false],
  [`${etag}, ${other}`, false],
  [dates.same, version === 1],
  [dates.earlier, false],
  [dates.later, false],
  ["Thursday, 29-Feb-24 23:59:58 GMT", version === 1],
  ["yesterday", false],
];

const none = {
  ifMatch: undefined,
  ifUnmodifiedSince: undefined,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  ifRange: undefined,
};

/** Every value of one header, with and without a Range, by GET and by HEAD. */
async function oneByOne(
  name: string,
  file: Shelved,
  header: string,
  condition: keyof typeof none,
  sayings: readonly Saying[],
): Promise<void> {
  for (const [value, truth] of sayings) {
    for (const method of ["GET", "HEAD"] as const) {
      for (const range of [[], [["Range", "bytes=0-9"]]] as const) {
        const fields: Field[] = [[header, value], ...range];
        const answer = await targets.named(name).ask({ method, fileId: file.fileId, fields });
        const modelled = statusByModel(method, { ...none, [condition]: truth }, range.length > 0);
        expect({ method, fields, status: answer.status }).toEqual({
          method,
          fields,
          status: modelled,
        });
      }
    }
  }
}

for (const name of targetNames) {
  describe(`conditions to ${name}`, () => {
    for (const file of [shelf.small, shelf.replaced, shelf.empty]) {
      const of = `version ${file.version}, ${file.content.sizeBytes} bytes`;
      // What a 206 of an empty file would be is a 416 (14.1.2), so it is asked without a range.
      if (file.content.sizeBytes === 0) continue;
      test(`RFC 9110, 13.1.1, If-Match, ${of}`, () =>
        oneByOne(name, file, "If-Match", "ifMatch", ifMatch(file)));
      test(`RFC 9110, 13.1.2, If-None-Match, ${of}`, () =>
        oneByOne(name, file, "If-None-Match", "ifNoneMatch", ifNoneMatch(file)));
      test(`RFC 9110, 13.1.3, If-Modified-Since, ${of}`, () =>
        oneByOne(name, file, "If-Modified-Since", "ifModifiedSince", ifModifiedSince));
      test(`RFC 9110, 13.1.4, If-Unmodified-Since, ${of}`, () =>
        oneByOne(name, file, "If-Unmodified-Since", "ifUnmodifiedSince", ifUnmodifiedSince));
      test(`RFC 9110, 13.1.5, If-Range, ${of}`, () =>
        oneByOne(name, file, "If-Range", "ifRange", ifRange(file)));
    }

    test("RFC 9110, 13.2.2: all five, each true, false and absent, in that order", async () => {
      const target = targets.named(name);
      const { etag, fileId } = shelf.small;
      const values: Record<keyof typeof none, readonly [Truth, string][]> = {
        ifMatch: [
          [undefined, ""],
          [true, etag],
          [false, other],
        ],
        ifUnmodifiedSince: [
          [undefined, ""],
          [true, dates.same],
          [false, dates.earlier],
        ],
        ifNoneMatch: [
          [undefined, ""],
          [true, other],
          [false, `W/${etag}`],
        ],
        ifModifiedSince: [
          [undefined, ""],
          [true, dates.earlier],
          [false, dates.later],
        ],
        ifRange: [
          [undefined, ""],
          [true, etag],
          [false, other],
        ],
      };
      const seen = new Map<number, number>();
      const wrong: unknown[] = [];
      for (const conditions of product(values)) {
        for (const range of [[], [["Range", "bytes=10-19"]]] as const) {
          for (const method of ["GET", "HEAD"] as const) {
            const truths = Object.fromEntries(
              Object.entries(conditions).map(([key, [truth]]) => [key, truth]),
            ) as typeof none;
            const fields: Field[] = Object.entries(conditions)
              .filter(([, [truth]]) => truth !== undefined)
              .map(([key, [, value]]) => [headerOf(key), value]);
            const answer = await target.ask({ method, fileId, fields: [...fields, ...range] });
            const modelled = statusByModel(method, truths, range.length > 0);
            seen.set(modelled, (seen.get(modelled) ?? 0) + 1);
            if (answer.status !== modelled) {
              wrong.push({ method, fields, range, status: answer.status, modelled });
            }
          }
        }
      }
      expect(wrong).toEqual([]);
      expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBe(3 ** 5 * 4);
      expect([...seen.keys()].toSorted()).toEqual([200, 206, 304, 412]);
    });

    test("RFC 9110, 13.2.2: a 416 comes after the conditions, and If-Range may avoid it", async () => {
      const { etag, fileId } = shelf.small;
      const ask = async (...fields: Field[]) => {
        const all: Field[] = [["Range", "bytes=10000-"], ...fields];
        return (await targets.named(name).ask({ fileId, fields: all })).status;
      };
      expect([
        await ask(),
        await ask(["If-Match", other]),
        await ask(["If-None-Match", etag]),
        await ask(["If-Range", etag]),
        await ask(["If-Range", other]),
      ]).toEqual([416, 412, 304, 416, 200]);
    });

    test("RFC 9110, 15.4.5: a 304 has ETag and Cache-Control, and no body and no type", async () => {
      const { etag, fileId } = shelf.small;
      for (const method of ["GET", "HEAD"]) {
        const fields: Field[] = [["If-None-Match", etag]];
        const answer = await targets.named(name).ask({ method, fileId, fields });
        expect([answer.status, fieldOf(answer, "etag")]).toEqual([304, etag]);
        expect(fieldOf(answer, "cache-control")).toBe(targets.named(name).cacheControl);
        expect(fieldOf(answer, "date")).toMatch(/ GMT$/);
        expect(fieldOf(answer, "content-type")).toBeUndefined();
        // Section 8.6: of the 200, or none at all.
        expect([undefined, "10000"]).toContain(fieldOf(answer, "content-length"));
        expect(fieldOf(answer, "transfer-encoding")).toBeUndefined();
      }
    });

    test("RFC 9110, 15.5.13: a 412 is problem JSON that nobody keeps", async () => {
      const fields: Field[] = [["If-Match", other]];
      const answer = await targets.named(name).ask({ fileId: shelf.small.fileId, fields });
      expect([answer.status, fieldOf(answer, "cache-control")]).toEqual([412, "no-store"]);
      expect(fieldOf(answer, "content-type")).toBe("application/problem+json");
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code: "PRECONDITION_FAILED" });
    });

    test("RFC 9110, 13.2.1: conditions do not count where the answer is an error", async () => {
      const fields: Field[] = [
        ["If-None-Match", "*"],
        ["If-Match", other],
      ];
      const answer = await targets.named(name).ask({ fileId: "missing.mp4", fields });
      expect(answer.status).toBe(404);
    });
  });
}

function headerOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter}`).replace(/^i/, "I");
}

function product<K extends string, V>(values: Record<K, readonly V[]>): Array<Record<K, V>> {
  let all: Array<Record<K, V>> = [{} as Record<K, V>];
  for (const [key, choices] of Object.entries(values) as Array<[K, readonly V[]]>) {
    all = all.flatMap((chosen) => choices.map((choice) => ({ ...chosen, [key]: choice })));
  }
  return all;
}
