import type { IndexedChange } from "@dsm/journal";

export interface VersionSet {
  readonly version: number;
  /**
   * The changes that claim this version and that no abort names: one, unless a crash left another
   * behind, or none, where all were aborted.
   */
  readonly claims: readonly IndexedChange[];
  /**
   * Others were aborted. One that was in force may be among them: of a version that was reaped
   * the catalog knows nothing any more when its storage asks, at its next start.
   */
  readonly hasAborted: boolean;
}

/** The changes of one file, in the order of the versions. */
export interface FileChanges {
  readonly user: string;
  readonly fileId: string;
  readonly sets: Iterable<VersionSet>;
}

/**
 * Cuts the sorted stream of all changes into files, and these into versions. The sets of
 * a file are to be read before the next file is asked for; memory holds one version.
 */
export function* changesByFile(
  changes: Iterable<IndexedChange>,
): Generator<FileChanges, void, undefined> {
  const stream = changes[Symbol.iterator]();
  let next = stream.next();
  while (next.done !== true) {
    const { user, fileId } = next.value;
    const isOfFile = () =>
      next.done !== true && next.value.user === user && next.value.fileId === fileId;
    function* sets(): Generator<VersionSet, void, undefined> {
      while (next.done !== true && isOfFile()) {
        const { version } = next.value;
        const claims: IndexedChange[] = [];
        let hasAborted = false;
        while (next.done !== true && isOfFile() && next.value.version === version) {
          // A record may be there twice: fsck writes anew what a damaged line held.
          if (next.value.aborted) hasAborted = true;
          else if (claims.at(-1)?.id !== next.value.id) claims.push(next.value);
          next = stream.next();
        }
        yield { version, claims, hasAborted };
      }
    }
    const all = sets();
    yield { user, fileId, sets: all };
    for (const unread of all) void unread;
  }
}
