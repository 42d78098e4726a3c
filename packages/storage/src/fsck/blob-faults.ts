import type { KnownBlob } from "@dsm/catalog";
import { blobPath, piecesPath } from "@dsm/protocol";
import { hasSidecar } from "../piece-sums.ts";
import { readSidecar, writeSidecar } from "../scrub/sidecar-file.ts";
import type { BlobBooks } from "./by-blob.ts";
import { readBytes } from "./bytes.ts";
import { type DiskFile, lookAt } from "./disk-files.ts";
import type { Facts, Fault, FindingKind } from "./finding.ts";
import type { JournalBook } from "./journal-book.ts";
import { orphanFaults } from "./orphan.ts";
import type { Scope } from "./scope.ts";
import { unlinkSidecar } from "./sidecar.ts";

/** What is wrong with a blob, its sidecar and its row, by the books as they are given. */
export async function blobFaults(
  scope: Scope,
  journal: JournalBook,
  books: BlobBooks,
): Promise<Fault[]> {
  const { known, blob, sidecar } = books;
  if (known !== undefined) return knownFaults(scope, known, blob, sidecar);
  if (blob !== undefined) return orphanFaults(scope, journal, blob, books.history);
  if (sidecar === undefined || scope.isYoung(sidecar.changedAtMs)) return [];
  return [strayFault(scope, sidecar, "of a blob that is not there")];
}

/** The same by the books as they are now. */
export async function blobFaultsNow(
  scope: Scope,
  journal: JournalBook,
  { id, history }: BlobBooks,
): Promise<Fault[]> {
  const { root, catalog, group } = scope;
  const known = (await catalog.blobsOf([id])).find(({ file }) => file.group === group);
  const blob = await lookAt(root, id, blobPath(id));
  const sidecar = await lookAt(root, id, piecesPath(id));
  return blobFaults(scope, journal, { id, known, blob, sidecar, history });
}

async function knownFaults(
  scope: Scope,
  known: KnownBlob,
  blob: DiskFile | undefined,
  sidecar: DiskFile | undefined,
): Promise<Fault[]> {
  const { file, state } = known;
  const { sizeBytes, damage } = file;
  if (blob === undefined) {
    const detail = `${sizeBytes} bytes should be there, and there is no file`;
    if (state === "live") return [faultOf("missing", known, detail)];
    return [{ ...faultOf("missing-trash", known, detail), mend: () => forget(scope, known) }];
  }
  if (blob.failure !== undefined) {
    return [faultOf("unreadable", known, `the disk answers ${blob.failure}`)];
  }
  if (blob.sizeBytes !== sizeBytes) {
    const detail = `it has ${blob.sizeBytes} bytes, and should have ${sizeBytes}`;
    const mend = damage === undefined ? { mend: () => mark(scope, known, "*") } : {};
    return [{ ...faultOf("wrong-size", known, detail), ...mend }];
  }
  const faults = await sidecarFaults(scope, known, sidecar);
  if (damage === undefined) return faults;
  return [faultOf("damaged", known, `bad pieces: ${damage}`), ...faults];
}

async function sidecarFaults(
  scope: Scope,
  known: KnownBlob,
  sidecar: DiskFile | undefined,
): Promise<Fault[]> {
  const { file } = known;
  if (!hasSidecar(file)) {
    return sidecar === undefined ? [] : [strayFault(scope, sidecar, "of a blob that needs none")];
  }
  const mend = () => makeSidecar(scope, known);
  if (sidecar === undefined) {
    return [{ ...faultOf("no-sidecar", known, "it has more than one piece"), mend }];
  }
  const sums = await readSidecar(scope.root, file);
  if (typeof sums !== "string") return [];
  return [
    { ...faultOf("bad-sidecar", known, "its form, its blob or its checksum is wrong"), mend },
  ];
}

function strayFault(scope: Scope, { id, path }: DiskFile, detail: string): Fault {
  const facts = { blobId: id, path, detail };
  const mend = async () => {
    await unlinkSidecar(scope.root, id);
    return "removed";
  };
  return { kind: "stray-sidecar", facts, mend };
}

async function forget({ catalog, group }: Scope, { file }: KnownBlob): Promise<string | undefined> {
  const entry = await catalog.trashEntryOf(file.blobId);
  if (entry?.trashGroup !== group) return undefined;
  await catalog.forgetTrashed(entry);
  // One that itself replaced a blob that is still to be unlinked stays until that is forgotten.
  const isGone = (await catalog.blobsOf([file.blobId])).length === 0;
  return isGone ? "its entry was removed" : undefined;
}

/** Readers are refused from then on. */
export async function mark({ marks }: Scope, { file }: KnownBlob, damage: string): Promise<string> {
  await marks.mark(file.blobId, damage);
  return `marked as damaged (${damage})`;
}

/** Only from bytes that are the right ones: checksums of bad bytes would vouch for them. */
async function makeSidecar(scope: Scope, { file }: KnownBlob): Promise<string | undefined> {
  const bytes = await readBytes(scope, blobPath(file.blobId));
  if (bytes === undefined || bytes.failure !== undefined) return undefined;
  if (bytes.sizeBytes !== file.sizeBytes || bytes.sha256 !== file.sha256) return undefined;
  await writeSidecar(scope.root, file, bytes.sums);
  return "made from its bytes";
}

export function faultOf(kind: FindingKind, { file }: KnownBlob, detail: string): Fault {
  const { user, fileId, version, blobId } = file;
  const facts: Facts = { user, fileId, version, blobId, path: blobPath(blobId), detail };
  return { kind, facts };
}
