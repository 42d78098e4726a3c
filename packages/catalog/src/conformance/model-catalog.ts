import type { BlobId, FileInfo, StoredSpace, TrashedFile } from "@dsm/protocol";
import type { Change, CommitOutcome, CurrentVersion } from "../index.ts";

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The files of one user as a catalog must show them, in the simplest way that can be. */
export class ModelCatalog {
  readonly #files = new Map<string, CurrentVersion>();
  readonly #inForce = new Set<BlobId>();
  /** Blobs that are waiting to be unlinked. */
  readonly trash = new Map<BlobId, TrashedFile>();
  quotaBytes: number | undefined;

  current(fileId: string): CurrentVersion | undefined {
    return this.#files.get(fileId);
  }

  fileIds(): string[] {
    return [...this.#files.keys()];
  }

  /** Every change as it was at the beginning of the batch: a batch does not see itself. */
  commit(changes: readonly Change[]): CommitOutcome[] {
    const follows = new Set(changes.filter((change) => this.#follows(change)).map(idOf));
    const inOrder = changes.toSorted((a, b) => byteOrder(fileIdOf(a), fileIdOf(b)));
    const outcomes = new Map(
      inOrder.map((change) => [idOf(change), this.#outcome(change, follows.has(idOf(change)))]),
    );
    return changes.map((change) => outcomes.get(idOf(change)) ?? "superseded");
  }

  #outcome(change: Change, follows: boolean): CommitOutcome {
    const id = idOf(change);
    if (this.#inForce.has(id)) return "in force";
    if (!follows || !this.#follows(change)) return "superseded";
    const newBytes = change.kind === "put" ? change.file.sizeBytes : 0;
    const oldBytes = this.#files.get(fileIdOf(change))?.file?.sizeBytes ?? 0;
    const liveBytes = this.usage().liveBytes + newBytes - oldBytes;
    const { quotaBytes = Infinity } = this;
    if (newBytes > oldBytes && liveBytes > quotaBytes) return "over quota";
    this.#inForce.add(id);
    this.#replace(change);
    if (change.kind === "put") {
      const { file } = change;
      this.#files.set(file.fileId, { version: file.version, file });
    } else {
      this.#files.set(change.fileId, { version: change.version });
    }
    return "in force";
  }

  list(prefix: string, after: string | undefined, limit: number, nowMs: number) {
    const all = this.#live()
      .filter(({ expiresAtMs = Infinity }) => expiresAtMs > nowMs)
      .filter((file) => file.fileId.startsWith(prefix))
      .filter((file) => after === undefined || byteOrder(file.fileId, after) > 0)
      .toSorted((a, b) => byteOrder(a.fileId, b.fileId));
    const files: FileInfo[] = all.slice(0, limit);
    const last = files.at(-1);
    return all.length > limit && last !== undefined ? { files, next: last.fileId } : { files };
  }

  /** The ids of the files that had expired by a time. */
  expired(beforeMs: number): string[] {
    const gone = this.#live().filter(({ expiresAtMs = Infinity }) => expiresAtMs <= beforeMs);
    return gone.map(({ fileId }) => fileId).toSorted();
  }

  /** The trash of the user, by id. */
  trashed(): TrashedFile[] {
    return [...this.trash.values()].toSorted((a, b) => byteOrder(a.file.blobId, b.file.blobId));
  }

  #live(): FileInfo[] {
    return [...this.#files.values()].flatMap(({ file }) => file ?? []);
  }

  usage(): StoredSpace {
    const live = this.#live();
    return {
      liveFiles: live.length,
      liveBytes: live.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      trashBlobs: this.trash.size,
      trashBytes: this.trash.values().reduce((sum, { file }) => sum + file.sizeBytes, 0),
    };
  }

  #replace(change: Change): void {
    const file = this.#files.get(fileIdOf(change))?.file;
    if (file === undefined) return;
    const trashedAtMs = change.kind === "put" ? change.file.modifiedAtMs : change.atMs;
    this.trash.set(file.blobId, { file, trashedAtMs, wasDeleted: change.kind === "delete" });
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

function fileIdOf(change: Change): string {
  return change.kind === "put" ? change.file.fileId : change.fileId;
}
