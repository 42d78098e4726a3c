import type { BodySource } from "@dsm/delivery";
import { DsmError, type FileInfo } from "@dsm/protocol";
import { LRUCache } from "lru-cache";
import type { GatewayMetrics } from "./metrics.ts";

export interface HotFilesOptions {
  /** All bytes that are kept; 0 keeps none. */
  readonly maxBytes: number;
  /** Larger files are not kept. */
  readonly fileMaxBytes: number;
  readonly metrics: Pick<GatewayMetrics, "hot" | "hotBytes">;
}

/**
 * The bytes of small files that were read lately. They are kept by blob, and blobs never change,
 * so they cannot be stale: which blob a file has now is asked of LocatedFiles each time. What is
 * taken up is held against the SHA-256 of the catalog first.
 */
export class HotFiles {
  readonly #options: HotFilesOptions;
  readonly #kept: LRUCache<string, Uint8Array<ArrayBuffer>> | undefined;

  constructor(options: HotFilesOptions) {
    this.#options = options;
    const { maxBytes } = options;
    if (maxBytes > 0) {
      this.#kept = new LRUCache({
        maxSize: maxBytes,
        sizeCalculation: (bytes) => bytes.byteLength + entryBytes,
      });
    }
  }

  /** Whether the file is one that is kept. */
  takes(file: FileInfo): boolean {
    if (this.#kept === undefined || file.sizeBytes > this.#options.fileMaxBytes) return false;
    return file.sizeBytes + entryBytes <= this.#options.maxBytes;
  }

  /** The bytes of a file from memory, and from `cold` where they are not there yet. */
  source(file: FileInfo, cold: BodySource): BodySource {
    return {
      open: async (start, endExclusive) => {
        const bytes = this.#get(file) ?? (await this.#fill(file, cold));
        return bytes.subarray(start, endExclusive);
      },
    };
  }

  #get(file: FileInfo): Uint8Array<ArrayBuffer> | undefined {
    const bytes = this.#kept?.get(keyOf(file));
    if (bytes !== undefined) this.#options.metrics.hot.inc({ result: "hit" });
    return bytes;
  }

  /** @throws DsmError DATA_CORRUPT for bytes that are not those of the catalog */
  async #fill(file: FileInfo, cold: BodySource): Promise<Uint8Array<ArrayBuffer>> {
    this.#options.metrics.hot.inc({ result: "miss" });
    const body = await cold.open(0, file.sizeBytes);
    const bytes = new Uint8Array(await new Response(body).arrayBuffer());
    const sha256 = Bun.SHA256.hash(bytes, "hex");
    if (sha256 !== file.sha256) throw differs(file, sha256, bytes.length);
    this.#kept?.set(keyOf(file), bytes);
    this.#options.metrics.hotBytes.set(this.#kept?.calculatedSize ?? 0);
    return bytes;
  }
}

function differs(file: FileInfo, sha256: string, sizeBytes: number): DsmError {
  const { blobId, user, fileId, group } = file;
  const what = `blob ${blobId} of ${user}/${fileId} does not have the bytes that were stored`;
  const why = `sha-256 ${sha256} of ${sizeBytes} bytes instead of ${file.sha256}`;
  return new DsmError("DATA_CORRUPT", `${what}: ${why}`, {
    remedy: `run dsm scrub --group ${group} --now, and check the file system of group ${group}`,
  });
}

/** What an entry costs besides its bytes, so that millions of tiny files are bounded too. */
const entryBytes = 512;

/** Blob ids are unique in a cluster. */
function keyOf(file: FileInfo): string {
  return file.blobId;
}
