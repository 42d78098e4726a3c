import type { DsmError, FileInfo, Location } from "@dsm/protocol";

export interface LocateFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asked before each further try, with what the last one has failed with. */
  readonly mayRepeat?: (error: DsmError) => boolean;
  /** False where CATALOG_UNAVAILABLE at once is better than an answer a moment later. */
  readonly mayWait?: boolean;
}

/** What trackers know of a file that is to be read: its version and who has it. */
export interface LocatedFile {
  readonly file: FileInfo;
  readonly location: Location;
}
