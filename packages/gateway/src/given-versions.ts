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
 * meanwhile they would join the head of one version to the tail of another. A server may ignore
 * Range at any time (RFC 9110, section 14.2), so they are answered with the whole new version, by
 * which they notice. docs/design/2026-11-22-readers-without-if-range.md
 *
 * Bounded, and by hashes alone: a collision or a reader behind the same address costs one answer
 * that is whole where a part would have done.
 */
export class GivenVersions {
  readonly #given = new LRUCache<number, number>({ max: limits.givenVersionsMax });

  look(reader: Reader, file: FileInfo): Look {
    const key = hashOf(`${reader.address}\n${reader.userAgent}\n${file.user}/${file.fileId}`);
    const version = hashOf(file.blobId);
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

/** Whether the request asks for the rest of a file without saying of which version. */
export function continuesBlindly(headers: Pick<Headers, "get">): boolean {
  const range = headers.get("range");
  if (range === null || /^bytes=0+-/i.test(range)) return false;
  return headers.get("if-range") === null && headers.get("if-match") === null;
}
