import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { missingTools, tempDir } from "@dsm/testkit";
import { cutDownload, exitOf, fileId, Overwritten } from "./overwritten.ts";
import { noise } from "./placed-file.ts";

setDefaultTimeout(60_000);

const sizeBytes = 8 * 1024 * 1024;
const [old, fresh, longer, shorter] = [
  noise(sizeBytes, 1).slice(0, sizeBytes),
  noise(sizeBytes, 2).slice(0, sizeBytes),
  noise(sizeBytes + 999_999, 3).slice(0, sizeBytes + 999_999),
  noise(sizeBytes - 999_999, 4).slice(0, sizeBytes - 999_999),
] as const;
const versions = { "as long": fresh, longer, shorter } as const;

const cutAtBytes = 1_000_000;

/** What a client that resumes is given to do: where it writes, and how it is called. */
interface Downloader {
  readonly name: string;
  /** What the file is overwritten with: of these all, or one that has the same length. */
  readonly nexts: ReadonlyArray<keyof typeof versions>;
  begin(url: string, folder: string): readonly string[];
  resume(url: string, folder: string, etag: string): readonly string[];
}

const everyKind = Object.keys(versions) as Array<keyof typeof versions>;
const pathIn = (folder: string) => join(folder, fileId);
const slowCurl = (url: string, folder: string) => [
  "curl",
  "-sS",
  "-f",
  "-L",
  "--limit-rate",
  "3M",
  "-o",
  pathIn(folder),
  url,
];

const downloaders: readonly Downloader[] = [
  {
    name: "wget -c",
    nexts: everyKind,
    begin: (url, folder) => ["wget", "-q", "--tries=1", "--limit-rate=3m", "-P", folder, url],
    resume: (url, folder) => ["wget", "-q", "--tries=1", "-c", "-P", folder, url],
  },
  {
    name: "curl -C -",
    nexts: everyKind,
    begin: slowCurl,
    resume: (url, folder) => ["curl", "-sS", "-f", "-L", "-C", "-", "-o", pathIn(folder), url],
  },
  {
    name: "curl -C - with If-Range",
    nexts: ["as long"],
    begin: slowCurl,
    resume: (url, folder, etag) => [
      "curl",
      "-sS",
      "-f",
      "-L",
      "-H",
      `If-Range: ${etag}`,
      "-C",
      "-",
      "-o",
      pathIn(folder),
      url,
    ],
  },
  {
    name: "curl -C - with If-Match",
    nexts: ["as long"],
    begin: slowCurl,
    resume: (url, folder, etag) => [
      "curl",
      "-sS",
      "-f",
      "-L",
      "-H",
      `If-Match: ${etag}`,
      "-C",
      "-",
      "-o",
      pathIn(folder),
      url,
    ],
  },
];

const missing = missingTools("wget", "curl");
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

for (const delivery of ["local", "proxy", "redirect"] as const) {
  describe.skipIf(missing !== undefined)(
    `a download that is resumed, delivery ${delivery}${why}`,
    () => {
      for (const { name, nexts, begin, resume } of downloaders) {
        test(`${name} of a file that is as it was gets the rest`, async () => {
          await using all = await Overwritten.start(delivery, old);
          await using dir = await tempDir();
          const etag = await all.etag();
          const part = await cutDownload(begin(all.url, dir.path), pathIn(dir.path), cutAtBytes);
          expect(part.length).toBeLessThan(sizeBytes);
          expect(part.equals(old.subarray(0, part.length))).toBe(true);
          expect(await exitOf(resume(all.url, dir.path, etag))).toBe(0);
          expect((await readFile(pathIn(dir.path))).equals(old)).toBe(true);
        });

        for (const kind of nexts) {
          const next = versions[kind];
          test(`${name} of a file that was overwritten, ${kind}, is never mixed`, async () => {
            await using all = await Overwritten.start(delivery, old);
            await using dir = await tempDir();
            const etag = await all.etag();
            const part = await cutDownload(begin(all.url, dir.path), pathIn(dir.path), cutAtBytes);
            await all.put(next);
            const code = await exitOf(resume(all.url, dir.path, etag));
            const got = await readFile(pathIn(dir.path));
            // Wholly new and said to be whole, or what was there of the old one and an error.
            const outcome = { isNew: got.equals(next), isOldPart: got.equals(part), code };
            expect(outcome).toEqual(
              code === 0
                ? { isNew: true, isOldPart: false, code }
                : { isNew: false, isOldPart: true, code: expect.any(Number) },
            );
            // Who throws it away and asks again has the new version, in one go.
            await Bun.file(pathIn(dir.path)).delete();
            expect(await exitOf(resume(all.url, dir.path, await all.etag()))).toBe(0);
            expect((await readFile(pathIn(dir.path))).equals(next)).toBe(true);
          });
        }
      }
    },
  );
}
