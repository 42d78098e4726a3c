import { DsmError, type FileInfo, firstDamagedByte, limits } from "@dsm/protocol";
import type { ByteRange } from "./range.ts";

/**
 * Bytes that are known to be bad are never sent, nor the head of an answer that would hold some:
 * so this is asked before the first byte leaves.
 * @throws DsmError DATA_CORRUPT
 */
export function assertSound(file: FileInfo, ranges: readonly ByteRange[]): void {
  const { damage } = file;
  if (damage === undefined) return;
  for (const { start, endExclusive } of ranges) {
    const at = firstDamagedByte(damage, start, endExclusive);
    if (at !== undefined) throw damaged(file, damage, at, endExclusive);
  }
}

function damaged(file: FileInfo, damage: string, at: number, endExclusive: number): DsmError {
  const pieceEnd = Math.floor(at / limits.pieceBytes + 1) * limits.pieceBytes;
  const last = Math.min(damage === "*" ? file.sizeBytes : pieceEnd, endExclusive) - 1;
  const what = `bytes ${at}-${last} of ${file.user}/${file.fileId} are damaged on the disk`;
  return new DsmError("DATA_CORRUPT", `${what} of group ${file.group}`, {
    remedy:
      `see dsm scrub --group ${file.group}; parts that are sound can still be read, and an upload ` +
      "with overwrite replaces the file",
  });
}
