import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "@dsm/journal";
import { piecesPath, systemErrorCode } from "@dsm/protocol";
import {
  decodeSidecar,
  encodeSidecar,
  hasSidecar,
  type PieceSums,
  type SummedBlob,
} from "../piece-sums.ts";
import { replaceFile } from "./replace-file.ts";

/** `none` where the blob needs no sidecar or has none, `damaged` for one that is not its own. */
export async function readSidecar(
  root: string,
  blob: SummedBlob,
): Promise<PieceSums | "none" | "damaged"> {
  if (!hasSidecar(blob)) return "none";
  try {
    return decodeSidecar(blob, await readFile(join(root, piecesPath(blob.blobId)))) ?? "damaged";
  } catch (error) {
    return systemErrorCode(error) === "ENOENT" ? "none" : "damaged";
  }
}

/** Puts a sidecar in place, over a damaged one too; to be given sums of bytes that are good. */
export async function writeSidecar(root: string, blob: SummedBlob, sums: PieceSums) {
  const path = piecesPath(blob.blobId);
  await replaceFile(root, path, encodeSidecar(blob, sums));
  await syncDirectory(join(root, dirname(path)));
}
