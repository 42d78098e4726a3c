import { type FileInfo, limits } from "@dsm/protocol";
import { LRUCache } from "lru-cache";

/** Who asks, as far as a server can tell without being told. */
export interface Reader {
  readonly address: string;
  readonly userAgent: string;
}

/**
 * Which version of a file each reader was last given bytes of. `wget -c`, `curl -C -` and players
 * on FFmpeg ask for the rest of a file by Range alone, without If-Range: when it was overwritten
 * meanwhile they would join the head of one version to the tail of another.
 * docs/design/2026-11-22-readers-without-if-range.md
 *
 * Bounded, by hashes alone, and of this process: another reader behind the same address with the
 * same User-Agent may make it forget what the first was given, and another worker never knew it.
 * Then a blind resume gets bytes of the new version; only If-Range is proof against that.
 */
export class GivenVersions {
  readonly #given = new LRUCache<number, number>({ max: limits.givenVersionsMax });

  look(reader: Reader, file: FileInfo): Look {
    const key = hashOf(`${reader.address}\n${reader.userAgent}\n${file.user}/${file.fileId}`);
    // By its bytes: a file that was moved to another group is a new version of the same ones.
    const version = hashOf(file.sha256);
    const before = this.#given.get(key);
    return {
      hadAnother: before !== undefined && before !== version,
      remember: () => {
        if (before !== version) this.#given.set(key, version);
      },
    };
  }
}

/** One reader and one version of a file. */
export interface Look {
  /** The reader was last given bytes of another version. */
  readonly hadAnother: boolean;
  /** To be called when it is given bytes of this one. */
  remember(): void;
}

/** 53 bits, which a number holds. */
function hashOf(text: string): number {
  return Number(Bun.hash.xxHash3(text) & 0x1f_ffff_ffff_ffffn);
}

/**
 * How a request asks for a part of a file without saying of which version: `resume` for all from
 * some byte on, as those do who have what stands before it, `part` for any other part that does
 * not begin the file; else undefined.
 */
export function blindness(headers: Pick<Headers, "get">): "resume" | "part" | undefined {
  const range = headers.get("range");
  if (range === null || /^bytes=0+-/i.test(range)) return undefined;
  if (headers.get("if-range") !== null || headers.get("if-match") !== null) return undefined;
  return /^bytes=[0-9]+-[ \t]*$/i.test(range) ? "resume" : "part";
}
