import { describe, expect, test } from "bun:test";
import { DsmError } from "@dsm/protocol";
import { exactly, noise, placeFile } from "./placed-file.ts";
import { shelf, shelfOnTargets } from "./shelf.ts";
import { targetNames } from "./targets.ts";
import { type Answer, type Field, fieldOf, fieldsOf } from "./wire.ts";

const targets = shelfOnTargets();

/** What identifies a field value that must be there once and the same in each answer. */
const lasting = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-type",
  "etag",
  "last-modified",
  "repr-digest",
  "x-content-type-options",
];

/** Section 4.3 of the design, on every 200 and 206. */
const promised = ["accept-ranges", "content-length", "content-type", "etag", "last-modified"];

for (const name of targetNames) {
  const ask = (fileId: string, ...fields: Field[]) => targets.named(name).ask({ fileId, fields });

  describe(`representations from ${name}`, () => {
    test("design 4.3: every 200 and 206 has each field once, and no chunks", async () => {
      const { small, empty, large, one } = shelf;
      for (const { fileId, content } of [small, empty, large, one]) {
        const ranges: Field[][] = [
          [],
          [["Range", "bytes=0-0"]],
          [["Range", "bytes=0-0,9000-9001"]],
        ];
        for (const fields of ranges) {
          const answer = await ask(fileId, ...fields);
          // RFC 9110, section 15.5.17: of an empty file no byte can be given.
          if (answer.status === 416 && content.sizeBytes === 0) continue;
          expect([200, 206]).toContain(answer.status);
          expect([fileId, answer.framing]).toEqual([fileId, "length"]);
          for (const field of [
            ...promised,
            "repr-digest",
            "cache-control",
            "content-disposition",
          ]) {
            expect([fileId, field, fieldsOf(answer, field).length]).toEqual([fileId, field, 1]);
          }
        }
      }
    });

    test("RFC 9110, 8.3: Content-Type is the upload's, with its parameters", async () => {
      const { cluster } = targets.named(name);
      const mediaType = 'text/plain; charset="utf-8"';
      const content = exactly(Buffer.from("Grüße\n"));
      await placeFile(cluster, { fileId: `t-${name}`, content, modifiedAtMs: 1, mediaType });
      expect(fieldOf(await ask(`t-${name}`), "content-type")).toBe(mediaType);
      expect(fieldOf(await ask(shelf.small.fileId), "content-type")).toBe("video/mp4");
      expect(fieldOf(await ask(shelf.empty.fileId), "content-type")).toBe("audio/mpeg");
    });

    test("RFC 9110, 8.4 and 12.5.3: no coding, whatever is accepted", async () => {
      for (const value of ["gzip, br, zstd", "identity;q=0, *;q=0", "gzip;q=1.0", ""]) {
        const answer = await ask(shelf.small.fileId, ["Accept-Encoding", value]);
        expect([answer.status, fieldOf(answer, "content-encoding")]).toEqual([200, undefined]);
        expect(answer.body.equals(shelf.small.content.slice(0, 10_000))).toBe(true);
      }
    });

    test("RFC 9110, 8.6: Content-Length is exact, of an empty file too", async () => {
      for (const { fileId, content } of Object.values(shelf)) {
        const answer = await ask(fileId);
        expect(fieldOf(answer, "content-length")).toBe(`${content.sizeBytes}`);
        expect(answer.body.equals(content.slice(0, content.sizeBytes))).toBe(true);
      }
    });

    test("RFC 9110, 8.8.2: Last-Modified is the time of the version, in whole seconds", async () => {
      expect(fieldOf(await ask(shelf.small.fileId), "last-modified")).toBe(shelf.small.date);
    });

    test("RFC 9110, 8.8.2.1: it never lies after Date, though another clock was ahead", async () => {
      const { cluster } = targets.named(name);
      const fileId = `ahead-${name}`;
      const modifiedAtMs = Date.now() + 3_600_000;
      await placeFile(cluster, { fileId, content: noise(10), modifiedAtMs });
      const answer = await ask(fileId);
      const of = (field: string) => Date.parse(fieldOf(answer, field) ?? "");
      expect(of("last-modified")).toBeLessThanOrEqual(of("date"));
    });

    test("RFC 9110, 8.8.3: the ETag is strong, and the same in every answer", async () => {
      const { fileId, etag, content } = shelf.small;
      expect(etag).toMatch(/^"[\x21\x23-\x7e]+"$/);
      const answers = [
        await ask(fileId),
        await ask(fileId, ["Range", "bytes=1-2"]),
        await ask(fileId, ["Range", "bytes=0-1,5000-"]),
        await ask(fileId, ["If-None-Match", etag]),
        await targets.named(name).ask({ method: "HEAD", fileId }),
      ];
      expect(answers.map((answer) => answer.status)).toEqual([200, 206, 206, 304, 200]);
      expect(new Set(answers.map((answer) => fieldOf(answer, "etag")))).toEqual(new Set([etag]));
      expect(etag).toContain(content.sha256);
    });

    test("RFC 9530, 2 and 3: Repr-Digest is of the whole, on a part too", async () => {
      const { fileId, content } = shelf.large;
      const sha256 = Buffer.from(content.sha256, "hex").toString("base64");
      for (const fields of [[], [["Range", "bytes=7-99"]]] as Field[][]) {
        const answer = await ask(fileId, ...fields);
        expect(fieldOf(answer, "repr-digest")).toBe(`sha-256=:${sha256}:`);
        expect(fieldOf(answer, "content-digest")).toBeUndefined();
      }
    });

    test("RFC 9110, 6.6.1: Date is in every answer, once", async () => {
      const { fileId, etag } = shelf.small;
      const answers = [
        await ask(fileId),
        await ask(fileId, ["Range", "bytes=0-1"]),
        await ask(fileId, ["Range", "bytes=99999-"]),
        await ask(fileId, ["If-None-Match", etag]),
        await ask(fileId, ["If-Match", '"x"']),
        await ask("missing"),
        await targets.named(name).ask({ method: "HEAD", fileId }),
      ];
      for (const answer of answers) {
        expect(fieldOf(answer, "date")).toMatch(
          /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/,
        );
      }
    });

    test("RFC 6266, 4.3, and RFC 8187: every name comes back as it is", async () => {
      const { cluster } = targets.named(name);
      const folder = `names/${name}`;
      for (const last of names) {
        const fileId = `${folder}/${last}`;
        await placeFile(cluster, { fileId, content: noise(3), modifiedAtMs: 1 });
        for (const query of ["", "?download=1"]) {
          const answer = await targets.named(name).ask({ fileId, query });
          expect(answer.status).toBe(200);
          const { type, fileName } = dispositionOf(answer);
          expect([type, fileName]).toEqual([query === "" ? "inline" : "attachment", last]);
        }
      }
    });

    test("what is lasting is the same in 200 and in 206", async () => {
      const { fileId } = shelf.small;
      const [whole, part] = [await ask(fileId), await ask(fileId, ["Range", "bytes=5-"])];
      const of = (answer: Answer) => lasting.map((field) => [field, fieldOf(answer, field)]);
      expect(of(part)).toEqual(of(whole));
    });
  });
}

const names = [
  "plain.mp4",
  "with space.mp4",
  'quo"te.mp4',
  "back\\slash.mp4",
  "semi;colon=1.mp4",
  "per%cent%41.mp4",
  "apo'strophe (1)*.mp4",
  "Grüße.mp4",
  "日本語の映画.mkv",
  "🎬 film.webm",
  "e\u0301 combining.mp3",
  "\ufeffbom.mp3",
  "right\u202eleft.mp3",
  ".hidden",
  "no-extension",
  `${"ü".repeat(200)}.mp4`,
];

/** As RFC 6266, section 4.1, writes it; `filename*` weighs more than `filename` (section 4.3). */
function dispositionOf(answer: Answer): { type: string; fileName: string } {
  const value = fieldOf(answer, "content-disposition") ?? "";
  const grammar =
    /^(inline|attachment); *filename="((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:; *filename\*=UTF-8''([\w!#$&+.^`|~%-]+))?$/;
  const [, type, plain, extended] = grammar.exec(value) ?? [];
  if (type === undefined || plain === undefined) {
    throw new DsmError("BAD_REQUEST", `no Content-Disposition: ${value}`);
  }
  return { type, fileName: extended === undefined ? plain : decodeURIComponent(extended) };
}
