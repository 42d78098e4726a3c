import { type BlobId, blobIdFromNumber, type FileInfo } from "@dsm/protocol";
import { type Catalog, type DeleteChange, openCatalog, type PutChange } from "../index.ts";

/** A kind of database that the conformance suite runs on. */
export interface Backend {
  readonly name: string;
  /** Why there is none here; its tests are then skipped with this reason in their names. */
  readonly missing: string | undefined;
  /** The URL of a fresh database that nobody migrated yet. */
  emptyUrl(): Promise<string>;
  /** The URL of one that is migrated, and may be shared with other tests. */
  sharedUrl(): Promise<string>;
  /** A statement past the catalog, to see what really lies there. */
  query(url: string, sql: string): Promise<Record<string, unknown>[]>;
}

let uniqueCount = 0;

/** A name that no other test of this process uses, so that tests can share a database. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${++uniqueCount}`;
}

let idCount = 0;

export function nextId(): BlobId {
  return blobIdFromNumber(++idCount);
}

export async function openShared(backend: Backend): Promise<Catalog> {
  return openCatalog(await backend.sharedUrl());
}

export function put(
  file: Partial<FileInfo> & { user: string; fileId: string },
  replaces?: BlobId,
): PutChange {
  const filled: FileInfo = {
    group: "g1",
    blobId: nextId(),
    version: 1,
    sizeBytes: 7,
    sha256: "ab".repeat(32),
    mediaType: "audio/flac",
    modifiedAtMs: 1_000,
    ...file,
  };
  return replaces === undefined
    ? { kind: "put", file: filled }
    : { kind: "put", file: filled, replaces };
}

/** The delete of a file as it is. */
export function deletion(file: FileInfo, changes: Partial<DeleteChange> = {}): DeleteChange {
  return {
    kind: "delete",
    user: file.user,
    fileId: file.fileId,
    group: file.group,
    id: nextId(),
    version: file.version + 1,
    replaces: file.blobId,
    atMs: file.modifiedAtMs + 1,
    ...changes,
  };
}

/** The overwrite of a file as it is. */
export function overwrite(file: FileInfo, changes: Partial<FileInfo> = {}): PutChange {
  const version = file.version + 1;
  return put({ ...file, version, blobId: nextId(), sizeBytes: 8, ...changes }, file.blobId);
}
