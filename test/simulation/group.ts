import type { BlobId } from "@dsm/protocol";

/** What the members of a group have in common: one file system. */
export class Group {
  readonly name: string;
  readonly blobs = new Map<BlobId, Uint8Array>();
  readonly totalBytes = 1_000_000_000_000;
  readonly freeBytes: number;
  isFull = false;
  /** When it was full last. */
  fullMs = -1;

  constructor(name: string, freeBytes: number) {
    this.name = name;
    this.freeBytes = freeBytes;
  }
}
