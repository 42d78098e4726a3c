import { mixed } from "./random.ts";

/**
 * The bytes of one upload. They follow from a seed, so nobody has to keep them to check any part
 * of them, and those of two uploads differ in every few bytes, so that a mix of both is seen.
 */
export interface Content {
  readonly seed: number;
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

export function contentOf(seed: number, sizeBytes: number): Content {
  const sha256 = Bun.SHA256.hash(bytesOf({ seed, sizeBytes }), "hex");
  return { seed, sizeBytes, sha256 };
}

/** The bytes from `start` to before `endExclusive`, which must lie within the content. */
export function bytesOf(
  { seed, sizeBytes }: Pick<Content, "seed" | "sizeBytes">,
  start = 0,
  endExclusive = sizeBytes,
): Uint8Array<ArrayBuffer> {
  const firstWord = Math.floor(start / 4);
  const words = new Uint32Array(Math.ceil(endExclusive / 4) - firstWord);
  const base = mixed(seed);
  for (let i = 0; i < words.length; i++) words[i] = mixed(base + firstWord + i);
  const offset = start - firstWord * 4;
  return new Uint8Array(words.buffer).subarray(offset, offset + endExclusive - start);
}

/** Where bytes first differ from a part of the content; undefined where they are that part. */
export function firstDifference(
  bytes: Uint8Array,
  content: Content,
  start: number,
): number | undefined {
  const endExclusive = Math.min(start + bytes.length, content.sizeBytes);
  const expected = bytesOf(content, Math.min(start, endExclusive), endExclusive);
  if (Buffer.compare(bytes, expected) === 0) return undefined;
  const at = bytes.findIndex((byte, i) => byte !== expected[i]);
  return start + (at < 0 ? bytes.length : at);
}
