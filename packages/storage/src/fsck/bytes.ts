import { open } from "node:fs/promises";
import { join } from "node:path";
import { DsmError, type FileInfo, limits, systemErrorCode } from "@dsm/protocol";
import { forgetPages, readNotAhead } from "../scrub/page-cache.ts";
import { PieceSummer, type PieceSums } from "../piece-sums.ts";
import type { Scope } from "./scope.ts";

/** What the disk gives for a file; `failure` where it gives only a part. */
export interface Bytes {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sums: PieceSums;
  readonly failure?: string;
}

/**
 * Reads a file at the pace of the run, and from the disk: what the kernel remembers of it proves
 * nothing.
 * @returns undefined where there is none
 */
export async function readBytes(
  { root, pace }: Pick<Scope, "root" | "pace">,
  path: string,
): Promise<Bytes | undefined> {
  const hasher = new Bun.CryptoHasher("sha256");
  const summer = new PieceSummer();
  let sizeBytes = 0;
  const bytes = (failure?: string): Bytes => ({
    sizeBytes,
    sha256: hasher.digest("hex"),
    sums: summer.finish(),
    ...(failure === undefined ? {} : { failure }),
  });
  try {
    await using file = await open(join(root, path), "r");
    const buffer = Buffer.allocUnsafe(limits.pieceBytes);
    readNotAhead(file.fd);
    for (;;) {
      forgetPages(file.fd, sizeBytes, sizeBytes + buffer.length);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return bytes();
      forgetPages(file.fd, sizeBytes, sizeBytes + bytesRead);
      const chunk = buffer.subarray(0, bytesRead);
      hasher.update(chunk);
      summer.update(chunk);
      sizeBytes += bytesRead;
      await pace.take(bytesRead);
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof DsmError || code === undefined) throw error;
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : bytes(code);
  }
}

/** Whether a file holds exactly these bytes, by size and SHA-256. */
export async function bytesFit(
  scope: Pick<Scope, "root" | "pace">,
  { sizeBytes, sha256 }: Pick<FileInfo, "sizeBytes" | "sha256">,
  path: string,
): Promise<boolean> {
  const found = await readBytes(scope, path);
  if (found === undefined || found.failure !== undefined) return false;
  return found.sizeBytes === sizeBytes && found.sha256 === sha256;
}
