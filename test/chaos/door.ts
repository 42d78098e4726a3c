import type { ErrorCode } from "@dsm/protocol";
import type { Content } from "./content.ts";
import type { Condition, MediaKey, State } from "./file-history.ts";

/** How a write ended for whoever asked for it. */
export type WriteOutcome =
  | { readonly is: "done" }
  /** It did nothing, and never will, because its condition did not hold. */
  | { readonly is: "refused"; readonly why: string }
  /** A delete was told that there is nothing to delete. */
  | { readonly is: "not there" }
  /** It did nothing, and never will. */
  | { readonly is: "no effect"; readonly why: string }
  | { readonly is: "in doubt"; readonly why: string }
  | Unexplained;

/** An error that no fault of this test can be the reason of. */
interface Unexplained {
  readonly is: "unexplained";
  readonly why: string;
}

/** Without a state nothing of the file was in the trash, or nobody could say. */
export interface RestoreOutcome {
  readonly state?: State;
  readonly outcome: WriteOutcome;
}

export type ReadOutcome =
  /** The file was in that state, and of that size; its bytes were handed over before. */
  | { readonly is: "seen"; readonly state: State; readonly sizeBytes: number }
  /** No answer, or none that tells anything. */
  | { readonly is: "failed"; readonly why: string }
  | Unexplained;

export interface Part {
  readonly start: number;
  readonly endExclusive: number;
}

/** Takes bytes of a version as they come, from the byte `start` of it on. */
export type Taker = (state: State, bytes: Uint8Array, start: number) => void;

export interface PutOptions {
  readonly condition: Condition;
  /** Said to be the digest, instead of the right one. */
  readonly wrongSha256?: string | undefined;
  /** Sends neither a length nor a digest: then nothing but care keeps half a body from counting. */
  readonly isUnannounced?: boolean;
  /** How long it lives; forever unless given. */
  readonly ttlMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface ListedFile {
  readonly fileId: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export type ListOutcome =
  | { readonly is: "listed"; readonly files: readonly ListedFile[]; readonly next?: string }
  | { readonly is: "failed"; readonly why: string }
  | Unexplained;

/** One way to the files of a cluster: the SDK, or HTTP through one gateway. */
export interface Door {
  readonly name: string;
  /** How old an answer may be that a read gets. */
  readonly staleMs: number;
  /** Whether it gives what it knew before, however old, while the catalog is down. */
  readonly mayAnswerInOutage: boolean;
  put(key: MediaKey, content: Content, options: PutOptions): Promise<WriteOutcome>;
  delete(key: MediaKey, condition: Condition, signal: AbortSignal): Promise<WriteOutcome>;
  /** Makes one of the versions in the trash the file again, where this way knows how to. */
  restore?(key: MediaKey, condition: Condition, signal: AbortSignal): Promise<RestoreOutcome>;
  /** @param part all of it unless given; it may lie past the end */
  read(
    key: MediaKey,
    part: Part | undefined,
    take: Taker,
    signal: AbortSignal,
  ): Promise<ReadOutcome>;
  /** Which version it is, without its bytes. */
  stat(key: MediaKey, signal: AbortSignal): Promise<ReadOutcome>;
  list(
    query: { user: string; after?: string; limit: number },
    signal: AbortSignal,
  ): Promise<ListOutcome>;
}

/** What faults of processes, networks, disks and catalogs may be answered with. */
const faultCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "STORAGE_FULL",
  "STORAGE_FAILED",
  "GROUP_UNAVAILABLE",
  "CATALOG_UNAVAILABLE",
  "UNREACHABLE",
  "TIMEOUT",
  "DRAINING",
  "OVERLOADED",
  "CONFLICT",
  "UPLOAD_INCOMPLETE",
]);

export function isFault(code: string): boolean {
  return faultCodes.has(code);
}
