import type { Transform } from "node:stream";
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";

interface Compression {
  /** What names of files that are compressed so end in. */
  readonly ending: string;
  /** What their bytes begin with: RFC 1952, section 2.3.1, and RFC 8878, section 3.1.1. */
  readonly magic: Buffer;
  readonly compress: () => Transform;
  readonly decompress: () => Transform;
}

const compressions: readonly Compression[] = [
  {
    ending: ".gz",
    magic: Buffer.from([0x1f, 0x8b]),
    compress: () => createGzip(),
    decompress: () => createGunzip(),
  },
  {
    ending: ".zst",
    magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
    compress: () => createZstdCompress(),
    decompress: () => createZstdDecompress(),
  },
];

/** How a file of this name is to be compressed, if at all. */
export function compressionOfName(path: string): Compression | undefined {
  return compressions.find(({ ending }) => path.endsWith(ending));
}

/** How these bytes are compressed, whatever the file is called. */
export function compressionOfBytes(head: Uint8Array): Compression | undefined {
  return compressions.find(({ magic }) => magic.equals(head.subarray(0, magic.length)));
}
