import type { BlobId, FileInfo } from "@dsm/protocol";
import type { Change, CurrentVersion } from "../index.ts";

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The files of one user as a catalog must show them, in the simplest way that can be. */
export class ModelCatalog {
  readonly #files = new Map<string, CurrentVersion>();
  readonly #inForce = new Set<BlobId>();
  /** Blobs that are waiting to be unlinked. */
  readonly trash = new Set<BlobId>();

  current(fileId: string): CurrentVersion | undefined {
    return this.#files.get(fileId);
  }

  fileIds(): string[] {
    return [...this.#files.keys()];
  }

  /** Every change as it was at the beginning of the batch: a batch does not see itself. */
  commit(changes: readonly Change[]): boolean[] {
    const before = new Map(changes.map((change) => [idOf(change), this.#follows(change)]));
    return changes.map((change) => {
      const id = idOf(change);
      if (this.#inForce.has(id)) return true;
      if (before.get(id) !== true || !this.#follows(change)) return false;
      this.#inForce.add(id);
      if (change.replaces !== undefined) this.trash.add(change.replaces);
      if (change.kind === "put") {
        const { file } = change;
        this.#files.set(file.fileId, { version: file.version, file });
      } else {
        this.#files.set(change.fileId, { version: change.version });
      }
      return true;
    });
  }

  list(prefix: string, after: string | undefined, limit: number) {
    const all = [...this.#files.values()]
      .flatMap(({ file }) => (file === undefined ? [] : [file]))
      .filter((file) => file.fileId.startsWith(prefix))
      .filter((file) => after === undefined || byteOrder(file.fileId, after) > 0)
      .toSorted((a, b) => byteOrder(a.fileId, b.fileId));
    const files: FileInfo[] = all.slice(0, limit);
    const last = files.at(-1);
    return all.length > limit && last !== undefined ? { files, next: last.fileId } : { files };
  }

  #follows(change: Change): boolean {
    const { fileId, version } = change.kind === "put" ? change.file : change;
    const now = this.#files.get(fileId);
    return version === (now?.version ?? 0) + 1 && change.replaces === now?.file?.blobId;
  }
}

function idOf(change: Change): BlobId {
  return change.kind === "put" ? change.file.blobId : change.id;
}
