import type { BlobId } from "@dsm/protocol";

interface OfVersion {
  readonly user: string;
  readonly fileId: string;
  readonly version: number;
}

interface OfBlob extends OfVersion {
  readonly blobId: BlobId;
}

/** Blobs of one group that are alike. */
interface OfBlobs {
  readonly group: string;
  readonly blobs: number;
  /** The first of them, relative to the root of the group. */
  readonly paths: readonly string[];
}

/** What is not as it should be in the journals and blobs of a group, with what to do about it. */
export type Finding =
  | { readonly kind: "damaged line"; readonly path: string; readonly line: number; reason: string }
  | { readonly kind: "foreign group"; readonly path: string; readonly line: number; group: string }
  | ({ readonly kind: "no record" } & OfBlobs)
  | ({ readonly kind: "cut off or no record" } & OfBlobs)
  | ({ readonly kind: "lost record" } & OfVersion)
  | ({ readonly kind: "two claims" } & OfBlob)
  | ({ readonly kind: "left to fsck" } & OfBlob)
  | ({ readonly kind: "missing blob" } & OfBlob)
  | ({ readonly kind: "unreadable blob"; readonly reason: string } & OfBlob)
  | ({ readonly kind: "wrong size"; readonly sizeBytes: number; diskBytes: number } & OfBlob)
  | ({ readonly kind: "wrong digest"; readonly sha256: string } & OfBlob);

export type FindingKind = Finding["kind"];

/** The one table of what each finding means. */
export const findingTexts: Readonly<Record<FindingKind, string>> = {
  "damaged line": "a line of a journal cannot be read; what it said is lost",
  "foreign group": "a record names another group than the one whose folder holds it; passed over",
  "no record": "no journal names these blobs: records are lost, or old uploads were cut off",
  "cut off or no record":
    "no journal names these blobs: records are lost, or uploads were under way at the end",
  "lost record": "no journal holds this version of the file; an older one may stand in its place",
  "two claims": "a crash left two records of this version; this one was taken, by the evidence",
  "left to fsck": "an old blob that no row could be given; dsm fsck says what becomes of it",
  "missing blob": "the file is in the catalog again, and its bytes are gone",
  "unreadable blob": "the file is in the catalog again, and its bytes cannot be read",
  "wrong size": "the file is in the catalog again, and its blob has another size",
  "wrong digest": "the file is in the catalog again, and its bytes have another SHA-256",
};
