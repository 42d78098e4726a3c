import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { blobPath, DsmError, type FileInfo, systemErrorCode } from "@dsm/protocol";
import type { BodySource } from "./body-source.ts";

/**
 * A blob in a group file system that is mounted here at `root`. The size is checked before each
 * read, so that damage is an error and never a short 200.
 * Errors: DATA_CORRUPT when the blob is missing or has another size than the catalog says,
 * STORAGE_FAILED when the file system does not answer.
 */
export function localSource(root: string, file: FileInfo): BodySource {
  return {
    async open(start, endExclusive) {
      const path = join(root, blobPath(file.blobId));
      const found = await statBlob(path, file);
      if (!found.isFile() || found.size !== file.sizeBytes) {
        throw damaged(file, `it has ${found.size} bytes instead of ${file.sizeBytes}`);
      }
      return Bun.file(path).slice(start, sliceEnd(start, endExclusive, file));
    },
  };
}

/**
 * Bun.serve takes a slice as long as its file for the file, answers a Range by itself then and so
 * undoes what the plan decided. The slice of a whole file asks for one byte more: it is sent as it
 * is, and the file ends where it ends. No other slice may, or one from byte 1 is as long as the
 * file and gets its Content-Length.
 */
function sliceEnd(start: number, endExclusive: number, file: FileInfo): number {
  return start === 0 && endExclusive === file.sizeBytes ? endExclusive + 1 : endExclusive;
}

async function statBlob(path: string, file: FileInfo): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") throw damaged(file, "it is missing", cause);
    const what = `blob ${file.blobId} of ${file.user}/${file.fileId} cannot be read`;
    throw new DsmError("STORAGE_FAILED", `${what}: ${code ?? "the file system failed"}`, {
      remedy: `see whether the file system of group ${file.group} is mounted and healthy`,
      cause,
    });
  }
}

function damaged(file: FileInfo, why: string, cause?: unknown): DsmError {
  const what = `blob ${file.blobId} of ${file.user}/${file.fileId} is damaged: ${why}`;
  return new DsmError("DATA_CORRUPT", what, {
    remedy: `run dsm fsck, and check the file system of group ${file.group}`,
    cause,
  });
}
