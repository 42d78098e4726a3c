import type { Catalog } from "@dsm/catalog";
import { systemClock } from "@dsm/clock";
import { crashPoint } from "@dsm/faults";
import { type BlobId, DsmError, type FileInfo } from "@dsm/protocol";
import type { BlobStore } from "./blob-store.ts";
import { CommitInDoubt } from "./commit-group.ts";
import type { Committer } from "./committer.ts";
import { makeRoom } from "./expiry.ts";
import { FileCommits, type Look } from "./file-commits.ts";
import type { IdLease } from "./id-lease.ts";
import { encodeSidecar, hasSidecar } from "./piece-sums.ts";
import { QuotaGate } from "./quota.ts";
import { receive, receiveAtOnce, type Received } from "./receive.ts";
import { sniffMediaType } from "./sniff.ts";

export interface PutRequest {
  readonly user: string;
  readonly fileId: string;
  /** Found out from the first bytes where it is undefined. */
  readonly mediaType: string | undefined;
  /** A function gives a body that is known to be small, in one piece. */
  readonly body: AsyncIterable<Uint8Array> | (() => Promise<Uint8Array>);
  /** What Content-Length says, when it says something. */
  readonly announcedBytes: number | undefined;
  /** 64 hex digits; a body that differs is refused. A function knows them when it has ended. */
  readonly sha256: string | (() => string) | undefined;
  /** How long the file is to live; forever where it is undefined. */
  readonly ttlMs?: number | undefined;
  /** Throws when the request's conditions do not allow to replace what is there now. */
  readonly check: (current: FileInfo | undefined) => void;
}

export interface DeleteRequest {
  readonly user: string;
  readonly fileId: string;
  readonly check: (current: FileInfo) => void;
}

interface FileWritesOptions {
  readonly group: string;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  readonly ids: IdLease;
  readonly committer: Committer;
  /** Told of every upload and delete that failed. */
  readonly onFault?: (error: unknown) => void;
}

/** The writes of one storage: the flows Upload, Overwrite and Delete of design section 2. */
export class FileWrites {
  readonly #options: FileWritesOptions;
  /** How what is in place becomes a version. */
  readonly commits: FileCommits;
  readonly #quotas: QuotaGate;

  constructor(options: FileWritesOptions) {
    this.#options = options;
    const work = { ...options, clock: systemClock };
    const room = (user: string) => makeRoom(work, user);
    this.commits = new FileCommits({ ...options, makeRoom: room });
    this.#quotas = new QuotaGate(options.catalog, room);
  }

  /** The file exists when this resolves; when it rejects, nothing of it can be seen. */
  put(request: PutRequest): Promise<{ file: FileInfo; created: boolean }> {
    return this.#noting(this.#put(request));
  }

  /** @throws DsmError FILE_NOT_FOUND, PRECONDITION_FAILED, CATALOG_UNAVAILABLE, … */
  delete(request: DeleteRequest): Promise<void> {
    return this.#noting(this.#delete(request));
  }

  async #noting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#options.onFault?.(error);
      throw error;
    }
  }

  async #put(request: PutRequest): Promise<{ file: FileInfo; created: boolean }> {
    const { blobs, ids } = this.#options;
    // Refused before a byte is read where the conditions fail already.
    const seen = await this.commits.look(request);
    request.check(seen.file);
    const replacedBytes = seen.current?.file?.sizeBytes ?? 0;
    await this.#quotas.admit(request.user, request.announcedBytes, replacedBytes);
    const blobId = await ids.next();
    const received = await this.#store(blobId, request);
    crashPoint("put.written");
    try {
      return await this.#commitPut(request, { blobId, received, seen });
    } catch (error) {
      throw error instanceof CommitInDoubt ? error : await blobs.discard(blobId, error);
    }
  }

  async #delete(request: DeleteRequest): Promise<void> {
    const { user, fileId } = request;
    await this.commits.untilWon(request, async ({ current, file }) => {
      if (current === undefined || file === undefined) {
        throw new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
          remedy: `see dsm list --user ${user}`,
        });
      }
      request.check(file);
      const { group, ids } = this.#options;
      return {
        kind: "delete",
        user,
        fileId,
        group,
        id: await ids.next(),
        version: current.version + 1,
        replaces: file.blobId,
        atMs: Date.now(),
      };
    });
  }

  /** Nothing is left of the blob when this rejects. */
  #store(blobId: BlobId, request: PutRequest): Promise<Received> {
    const { body } = request;
    return typeof body === "function"
      ? this.#storeAtOnce(blobId, request, body)
      : this.#storeStream(blobId, request, body);
  }

  async #storeAtOnce(
    blobId: BlobId,
    request: PutRequest,
    body: () => Promise<Uint8Array>,
  ): Promise<Received> {
    const { bytes, received } = await receiveAtOnce(body, request.announcedBytes);
    assertDigest(request, received);
    await this.#options.blobs.write(blobId, bytes);
    return received;
  }

  async #storeStream(
    blobId: BlobId,
    request: PutRequest,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Received> {
    const { blobs } = this.#options;
    const writer = await blobs.create(blobId);
    try {
      const { sums, ...received } = await receive(body, writer, request.announcedBytes);
      assertDigest(request, received);
      const blob = { blobId, sizeBytes: received.sizeBytes };
      await writer.finish(hasSidecar(blob) ? encodeSidecar(blob, sums) : undefined);
      return received;
    } catch (error) {
      await writer.close();
      throw await blobs.discard(blobId, error);
    }
  }

  async #commitPut(
    request: PutRequest,
    { blobId, received, seen }: { blobId: BlobId; received: Received; seen: Look },
  ) {
    const { user, fileId } = request;
    const { sizeBytes, sha256, head } = received;
    const mediaType = request.mediaType ?? (await sniffMediaType(head));
    const blob = { user, fileId, mediaType, group: this.#options.group, blobId, sizeBytes, sha256 };
    return this.commits.put(request, blob, seen);
  }
}

function assertDigest(request: PutRequest, received: Received): void {
  const sha256 = typeof request.sha256 === "function" ? request.sha256() : request.sha256;
  if (sha256 === undefined || sha256 === received.sha256) return;
  throw new DsmError(
    "DIGEST_MISMATCH",
    `the bytes have sha-256 ${received.sha256} and the request said ${sha256}`,
    { remedy: "send it again; nothing was stored" },
  );
}
