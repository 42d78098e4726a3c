import type { BlobId } from "@dsm/protocol";

interface KindRow {
  /**
   * `damage`: a file cannot be read as it was stored, or at all. `risk`: nothing is lost yet, but a
   * rebuild of the catalog or a further fault would lose something. `untidy`: space or order.
   */
  readonly severity: "damage" | "risk" | "untidy";
  /** What it means. */
  readonly doc: string;
  /** What `--repair` does about it. */
  readonly repair: string;
}

/** The one table of what fsck can find; the CLI and docs/OPERATIONS.md tell it in these words. */
export const findingKinds = {
  missing: {
    severity: "damage",
    doc: "a file whose bytes are not there",
    repair: "nothing can: look for its disk, restore an older version, or upload it again",
  },
  "missing-trash": {
    severity: "untidy",
    doc: "a blob in the trash whose bytes are gone already",
    repair: "its entry is removed, once those of older versions of its file are gone",
  },
  "wrong-size": {
    severity: "damage",
    doc: "a blob that is shorter or longer than the catalog says",
    repair: "it is marked as damaged, so that nobody is given its bytes; upload the file again",
  },
  "wrong-digest": {
    severity: "damage",
    doc: "a blob whose SHA-256 is not that of the catalog",
    repair: "it is marked as damaged, so that nobody is given its bytes; dsm scrub may heal it",
  },
  unreadable: {
    severity: "damage",
    doc: "a blob that the disk does not give",
    repair: "nothing: look at the disk; dsm scrub marks and heals what it can",
  },
  damaged: {
    severity: "damage",
    doc: "a file that is marked as damaged",
    repair: "nothing: dsm scrub heals it where good bytes are left; else upload it again",
  },
  "lost-row": {
    severity: "damage",
    doc: "an acknowledged version that the catalog has forgotten, as one from an old backup has",
    repair: "its row is put back when its size and SHA-256 fit",
  },
  "lost-delete": {
    severity: "risk",
    doc: "an acknowledged delete that the catalog has forgotten: the file is there again",
    repair: "it is put back: the file is in the trash again",
  },
  unsettled: {
    severity: "untidy",
    doc: "a change that a crash cut off before anybody was told whether it is in force",
    repair: "it is put in force if it can be; an upload that is not whole or came late is closed",
  },
  orphan: {
    severity: "untidy",
    doc: "a blob without a row",
    repair: "it is removed where it is proven to be garbage, else moved to lost+found",
  },
  "wrong-place": {
    severity: "risk",
    doc: "something among the blobs that does not belong where it is",
    repair: "a blob goes to its vacant place when its bytes fit, all else to lost+found; no links",
  },
  "no-sidecar": {
    severity: "untidy",
    doc: "a blob without the checksums of its pieces",
    repair: "they are made from its bytes when their SHA-256 fits",
  },
  "bad-sidecar": {
    severity: "risk",
    doc: "checksums of pieces that are damaged, or not those of their blob",
    repair: "they are made anew from its bytes when their SHA-256 fits",
  },
  "stray-sidecar": {
    severity: "untidy",
    doc: "checksums of pieces of a blob that is not there, or has none",
    repair: "they are removed",
  },
  "not-journaled": {
    severity: "risk",
    doc: "a row that no journal tells of: a rebuild of the catalog would not have it",
    repair: "its record is written",
  },
  "aborted-row": {
    severity: "risk",
    doc: "a row whose record is aborted: a rebuild of the catalog would not have it",
    repair: "nothing can: upload the file again",
  },
  "journal-differs": {
    severity: "risk",
    doc: "a version of which journal and catalog do not say the same",
    repair: "nothing: compare both with the bytes, and upload the right ones again",
  },
  "journal-damaged": {
    severity: "risk",
    doc: "a line of a journal that cannot be read",
    repair: "nothing; what it said is found as not-journaled, if it still matters",
  },
  "journal-missing": {
    severity: "risk",
    doc: "a part of a journal that is gone, or shorter than it was",
    repair: "nothing: put it back if you can; what it said is found as not-journaled",
  },
  usage: {
    severity: "untidy",
    doc: "the usage of a user is not the sum of the files",
    repair: "it is set right",
  },
} as const satisfies Record<string, KindRow>;

export type FindingKind = keyof typeof findingKinds;

/** On what, and what exactly was found. */
export interface Facts {
  readonly user?: string;
  readonly fileId?: string;
  readonly version?: number;
  readonly blobId?: BlobId;
  /** Relative to the root of the group. */
  readonly path?: string;
  readonly detail: string;
}

/** One thing that is wrong, and what was done about it. */
export interface Finding extends Facts {
  readonly kind: FindingKind;
  readonly severity: KindRow["severity"];
  /** What repair did; absent where it did nothing. */
  readonly repaired?: string;
}

/**
 * Something wrong, and how to mend it. `mend` says what it did; undefined when it could or may do
 * nothing, which includes that the matter has settled by itself meanwhile.
 */
export interface Fault {
  readonly kind: FindingKind;
  readonly facts: Facts;
  /** It is proven to be garbage: to mend it is to give its space back, and no more. */
  readonly isGarbage?: boolean;
  readonly mend?: () => Promise<string | undefined>;
}

export function findingOf({ kind, facts }: Fault, repaired?: string): Finding {
  const { severity } = findingKinds[kind];
  return { kind, severity, ...facts, ...(repaired === undefined ? {} : { repaired }) };
}
