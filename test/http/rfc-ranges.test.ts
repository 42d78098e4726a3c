import { describe, expect, test } from "bun:test";
import { partsOf } from "./multipart-parser.ts";
import { selectByModel } from "./range-model.ts";
import { shelf, type Shelved, shelfOnTargets } from "./shelf.ts";
import { type Target, targetNames } from "./targets.ts";
import { type Answer, fieldOf } from "./wire.ts";

const targets = shelfOnTargets();

/** Range headers with the section that decides each; `N` is the size of the file. */
const headers: Readonly<Record<string, readonly string[]>> = {
  "14.1.2, from first to last": ["bytes=0-0", "bytes=0-499", "bytes=500-999", "bytes=9500-9999"],
  "14.1.2, an open end": ["bytes=0-", "bytes=1-", "bytes=9999-", "bytes=10000-"],
  "14.1.2, suffixes": ["bytes=-1", "bytes=-500", "bytes=-10000", "bytes=-10001", "bytes=-0"],
  "14.1.2, a last position at or past the end": [
    "bytes=0-9999",
    "bytes=0-10000",
    "bytes=0-99999999999999999999999999",
    "bytes=9999-18446744073709551616",
    "bytes=10000-10000",
    "bytes=18446744073709551615-",
    "bytes=18446744073709551616-18446744073709551617",
    "bytes=-18446744073709551616",
  ],
  "14.1.1, leading zeros are digits": ["bytes=00000000000000000000000-09", "bytes=-00005"],
  "14.1.1, the last before the first is invalid": [
    "bytes=1-0",
    "bytes=0-1,5-4",
    "bytes=10000000000000000000001-10000000000000000000000",
  ],
  "14.1, units are case-insensitive": ["Bytes=0-9", "BYTES=0-9"],
  "14.2, other units are ignored": ["items=0-9", "seconds=1-2", "bytesx=0-9", "none=0-0"],
  "14.2, what is no set of ranges is ignored": [
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes=--1",
    "bytes=a-b",
    "bytes=0x1-2",
    "bytes=1.0-2",
    "bytes=+1-2",
    "bytes=0-9;q=1",
    "bytes=0--9",
    "bytes=0-9-",
    "bytes 0-9",
    "bytes:0-9",
    "bytes =0-9",
    "bytes= 0-9",
    "bytes=0 -9",
    "bytes=0- 9",
    "bytes=0-9 1-2",
    "bytes=0-9,abc",
    "bytes=0-9,-",
    "0-9",
    "=0-9",
    "bytes=\u0660-\u0669".replace(/[^ -~]/g, "\xd9"),
  ],
  "5.6.1.2, empty elements of a list are passed over": [
    "bytes=,0-9",
    "bytes=0-9,",
    "bytes=,,0-9,,",
    "bytes=0-9 , ,1000-1009",
    "bytes= ,0-9",
  ],
  "14.1.2, of several those that lie outside are passed over": [
    "bytes=0-9,20000-20009",
    "bytes=20000-,0-9",
    "bytes=-0,5-6",
    "bytes=20000-20001,30000-",
    "bytes=20000-,-0",
  ],
  "15.3.7.2, several": [
    "bytes=0-9,1000-1009",
    "bytes=0-0,-1",
    "bytes=500-600,1000-1200,5000-",
    "bytes=0-9,300-309,600-609,900-909",
  ],
  "15.3.7.2, parts in the order of the request": [
    "bytes=5000-5009,0-9",
    "bytes=-10,0-9,5000-5009",
    "bytes=9000-,5000-5009,8000-8009,0-0",
  ],
  "15.3.7.2, overlapping ones are one": [
    "bytes=0-99,50-149",
    "bytes=0-9999,0-9999",
    "bytes=0-,0-,0-,0-",
    "bytes=5000-6000,0-99,5500-7000,50-80",
    "bytes=0-0,0-0",
    "bytes=-100,-200",
  ],
  "15.3.7.2, a gap is closed under 256 bytes": [
    "bytes=0-9,265-300",
    "bytes=0-9,266-300",
    "bytes=266-300,0-9",
    "bytes=0-0,255-255,510-510",
    "bytes=0-0,510-510,255-255",
    "bytes=0-0,1000-1000,255-255,510-510,765-765",
  ],
  "14.2, at most 64 ranges": [
    `bytes=${Array.from({ length: 64 }, (_, n) => `${n * 150}-${n * 150}`).join(",")}`,
    `bytes=${Array.from({ length: 65 }, (_, n) => `${n * 150}-${n * 150}`).join(",")}`,
    `bytes=${Array.from({ length: 30 }, (_, n) => `${n * 300}-${n * 300}`).join(",")}`,
    `bytes=${Array.from({ length: 1_000 }, () => "0-").join(",")}`,
    `bytes=${",".repeat(3_000)}0-9`,
  ],
};

/** What the answer carries, as one value to be compared with the model's. */
function shown(answer: Answer, { content }: Shelved): unknown {
  const { status, body } = answer;
  const range = fieldOf(answer, "content-range");
  if (status === 200)
    return { status, range, whole: body.equals(content.slice(0, content.sizeBytes)) };
  if (status !== 206) return { status, range };
  if (range !== undefined) return { status, range, isRight: isSlice(body, range, content) };
  const parts = partsOf(answer).map(({ first, last, sizeBytes, bytes, fields }) => ({
    range: `bytes ${first}-${last}/${sizeBytes}`,
    isRight: isSlice(bytes, `bytes ${first}-${last}/${sizeBytes}`, content),
    type: fields.find(([name]) => name.toLowerCase() === "content-type")?.[1],
  }));
  return { status, parts };
}

function isSlice(bytes: Buffer, contentRange: string, content: Shelved["content"]): boolean {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange) ?? [];
  if (Number(size) !== content.sizeBytes) return false;
  return bytes.equals(content.slice(Number(first), Number(last) + 1));
}

/** The same of the model. */
function expected(values: readonly string[], { content, mediaType }: Shelved): unknown {
  const selected = selectByModel(values, content.sizeBytes);
  const size = content.sizeBytes;
  if (selected === "whole") return { status: 200, range: undefined, whole: true };
  if (selected === "unsatisfiable") return { status: 416, range: `bytes */${size}` };
  const ranges = selected.map(({ first, last }) => `bytes ${first}-${last}/${size}`);
  if (ranges.length === 1) return { status: 206, range: ranges[0], isRight: true };
  const parts = ranges.map((range) => ({ range, isRight: true, type: mediaType }));
  return { status: 206, parts };
}

async function rangesOf(target: Target, file: Shelved, values: readonly string[]) {
  const fields = values.map((value) => ["Range", value] as const);
  return target.ask({ fileId: file.fileId, fields });
}

for (const name of targetNames) {
  describe(`ranges from ${name}`, () => {
    for (const [section, values] of Object.entries(headers)) {
      test(`RFC 9110, ${section}`, async () => {
        for (const value of values) {
          for (const file of [shelf.small, shelf.one, shelf.empty]) {
            const answer = await rangesOf(targets.named(name), file, [value]);
            expect({
              value,
              size: file.content.sizeBytes,
              ...(shown(answer, file) as object),
            }).toEqual({
              value,
              size: file.content.sizeBytes,
              ...(expected([value], file) as object),
            });
          }
        }
      });
    }

    test("RFC 9110, 5.3: two Range lines are no list, and are ignored", async () => {
      for (const values of [
        ["bytes=0-9", "bytes=20-29"],
        ["bytes=0-9", "bytes=0-9"],
      ]) {
        const answer = await rangesOf(targets.named(name), shelf.small, values);
        expect(shown(answer, shelf.small)).toEqual(expected(values, shelf.small));
      }
    });

    test("RFC 9110, 14.2: Range is for GET alone, HEAD answers as without", async () => {
      const fileId = shelf.small.fileId;
      for (const value of ["bytes=0-9", "bytes=0-9,5000-5009", "bytes=99999-"]) {
        const answer = await targets
          .named(name)
          .ask({ method: "HEAD", fileId, fields: [["Range", value]] });
        expect([answer.status, fieldOf(answer, "content-length")]).toEqual([200, "10000"]);
        expect(fieldOf(answer, "content-range")).toBeUndefined();
      }
    });

    test("RFC 9110, 14.3: Accept-Ranges is on 200 and 206", async () => {
      for (const values of [[], ["bytes=0-9"], ["bytes=0-9,5000-5009"]]) {
        const answer = await rangesOf(targets.named(name), shelf.small, values);
        expect(fieldOf(answer, "accept-ranges")).toBe("bytes");
      }
    });

    test("RFC 9110, 15.3.7.1: one range has the fields of a 200", async () => {
      const target = targets.named(name);
      const whole = await rangesOf(target, shelf.small, []);
      const part = await rangesOf(target, shelf.small, ["bytes=10-19"]);
      const kept = [
        "etag",
        "last-modified",
        "content-type",
        "cache-control",
        "content-disposition",
      ];
      for (const field of [...kept, "repr-digest", "vary", "x-content-type-options"]) {
        expect([field, fieldOf(part, field)]).toEqual([field, fieldOf(whole, field)]);
      }
      expect([part.framing, fieldOf(part, "content-length")]).toEqual(["length", "10"]);
      expect(fieldOf(part, "date")).toMatch(/ GMT$/);
    });

    test("RFC 9110, 15.3.7.2: of several, the whole has no Content-Range, and a length", async () => {
      const answer = await rangesOf(targets.named(name), shelf.small, ["bytes=0-9,5000-5009"]);
      expect([answer.status, answer.framing]).toEqual([206, "length"]);
      expect(fieldOf(answer, "content-range")).toBeUndefined();
      for (const field of ["etag", "last-modified", "cache-control", "repr-digest"]) {
        expect([field, fieldOf(answer, field)]).not.toEqual([field, undefined]);
      }
    });

    // What Bun.serve sends with a length must fit into memory; "a server might want to send only a
    // subset of the data requested" (RFC 9110, section 15.3.7.2).
    test("RFC 9110, 15.3.7: long parts come whole, or fewer of them, with a length", async () => {
      const target = targets.named(name);
      const { large } = shelf;
      const value = "bytes=0-1500000,2000000-2000009,2500000-2999999";
      const answer = await rangesOf(target, large, [value]);
      expect([answer.status, answer.framing]).toEqual([206, "length"]);
      const all = expected([value], large) as { parts: unknown[] };
      const { parts } = shown(answer, large) as { parts?: unknown[] };
      if (target.engine === "stream") {
        expect(parts).toEqual(all.parts);
      } else if (parts !== undefined) {
        expect(parts).toEqual(all.parts.slice(0, parts.length));
      } else {
        expect(fieldOf(answer, "content-range")).toBe("bytes 0-1500000/3145728");
      }
    });

    test("RFC 9110, 15.5.17: a 416 tells the size, and is problem JSON that nobody keeps", async () => {
      const answer = await rangesOf(targets.named(name), shelf.small, ["bytes=10000-"]);
      expect([answer.status, fieldOf(answer, "content-range")]).toEqual([416, "bytes */10000"]);
      expect(fieldOf(answer, "content-type")).toBe("application/problem+json");
      expect(fieldOf(answer, "cache-control")).toBe("no-store");
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code: "RANGE_NOT_SATISFIABLE" });
    });
  });
}
