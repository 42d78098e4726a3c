import type { KnownBlob } from "@dsm/catalog";
import { blobPath, writeDamage } from "@dsm/protocol";
import { readSidecar } from "../scrub/sidecar-file.ts";
import { faultOf, mark } from "./blob-faults.ts";
import { type Bytes, readBytes } from "./bytes.ts";
import type { Fault } from "./finding.ts";
import type { Scope } from "./scope.ts";

/**
 * Reads all bytes of a blob and compares their SHA-256. One whose size is wrong, or that is gone
 * or marked, is told of by others.
 */
export async function digestFaults(scope: Scope, known: KnownBlob): Promise<Fault[]> {
  const { file } = known;
  const bytes = await readBytes(scope, blobPath(file.blobId));
  if (bytes === undefined || isAsItShould(bytes, known)) return [];
  if (bytes.failure !== undefined) {
    const detail = `after ${bytes.sizeBytes} bytes the disk answers ${bytes.failure}`;
    return [faultOf("unreadable", known, detail)];
  }
  if (bytes.sizeBytes !== file.sizeBytes) return [];
  const damage = await badPieces(scope, known, bytes);
  const detail = `the bytes give ${bytes.sha256} instead of ${file.sha256}; bad pieces: ${damage}`;
  return [{ ...faultOf("wrong-digest", known, detail), mend: () => mark(scope, known, damage) }];
}

/** The same by the row as it is now: the blob may have been reaped or marked while it was read. */
export async function digestFaultsNow(scope: Scope, { file }: KnownBlob): Promise<Fault[]> {
  const [known] = await scope.catalog.blobsOf([file.blobId]);
  if (known === undefined || known.file.damage !== undefined) return [];
  return digestFaults(scope, known);
}

function isAsItShould({ failure, sizeBytes, sha256 }: Bytes, { file }: KnownBlob): boolean {
  return failure === undefined && sizeBytes === file.sizeBytes && sha256 === file.sha256;
}

/** By the sidecar, where that is sound; all of them where it sees nothing wrong. */
async function badPieces({ root }: Scope, { file }: KnownBlob, { sums }: Bytes): Promise<string> {
  const expected = await readSidecar(root, file);
  if (typeof expected === "string") return "*";
  const bad = [...expected.keys()].filter((piece) => expected[piece] !== sums[piece]);
  return writeDamage(bad);
}
