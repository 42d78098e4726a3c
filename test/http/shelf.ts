import { afterAll, beforeAll } from "bun:test";
import { type Content, exactly, noise } from "./placed-file.ts";
import { type Target, Targets } from "./targets.ts";

export interface Shelved {
  readonly fileId: string;
  readonly content: Content;
  readonly etag: string;
  /** As Last-Modified tells it. */
  readonly date: string;
  readonly modifiedAtMs: number;
  readonly version: number;
  readonly mediaType: string;
}

/** Not a whole second, as no time of an upload is. */
const modifiedAtMs = Date.UTC(2024, 1, 29, 23, 59, 58, 765);
const date = "Thu, 29 Feb 2024 23:59:58 GMT";
export const dates = {
  same: date,
  later: "Fri, 01 Mar 2024 00:00:00 GMT",
  earlier: "Thu, 29 Feb 2024 23:59:57 GMT",
};

function shelved(fileId: string, content: Content, mediaType: string, version = 1): Shelved {
  const etag = `"${content.sha256}"`;
  return { fileId, content, etag, date, modifiedAtMs, version, mediaType };
}

/** The files that every target of a suite holds. */
export const shelf = {
  empty: shelved("empty.mp3", exactly(Buffer.alloc(0)), "audio/mpeg"),
  one: shelved("one.bin", noise(1), "application/octet-stream"),
  small: shelved("films/a small one.mp4", noise(10_000), "video/mp4"),
  /** The second version: its date may be the first one's too. */
  replaced: shelved("replaced.webm", noise(10_000, 2), "video/webm", 2),
  large: shelved("large.mkv", noise(3 * 1024 * 1024, 3), "video/matroska"),
};

/** All targets with the shelf, for the tests of the file that calls this. */
export function shelfOnTargets(): { named(name: string): Target } {
  let targets: Targets;
  beforeAll(async () => {
    targets = await Targets.start();
    for (const file of Object.values(shelf)) await targets.place(file);
  });
  afterAll(() => targets[Symbol.asyncDispose]());
  return { named: (name) => targets.named(name) };
}
