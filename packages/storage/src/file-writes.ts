import type { Catalog, Change, CurrentVersion } from "@dsm/catalog";
import { DsmError, type FileInfo, limits } from "@dsm/protocol";
import type { BlobStore, BlobWriter } from "./blob-store.ts";
import { CommitInDoubt, type Committer } from "./committer.ts";
import type { IdLease } from "./id-lease.ts";
import { receive } from "./receive.ts";
import { sniffMediaType } from "./sniff.ts";

export interface PutRequest {
  readonly user: string;
  readonly fileId: string;
  /** Found out from the first bytes where it is undefined. */
  readonly mediaType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** What Content-Length says, when it says something. */
  readonly announcedBytes: number | undefined;
  /** 64 hex digits; a body that differs is refused. */
  readonly sha256: string | undefined;
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
}

/** The writes of one storage: the flows Upload, Overwrite and Delete of design section 2. */
export class FileWrites {
  readonly #options: FileWritesOptions;

  constructor(options: FileWritesOptions) {
    this.#options = options;
  }

  /** The file exists when this resolves; when it rejects, nothing of it can be seen. */
  async put(request: PutRequest): Promise<{ file: FileInfo; created: boolean }> {
    const { blobs, ids } = this.#options;
    // Refused before a byte is read where the conditions fail already.
    request.check((await this.#current(request))?.file);
    const blobId = await ids.next();
    const writer = await blobs.create(blobId);
    try {
      const { sizeBytes, sha256, head } = await this.#receive(request, writer);
      const { user, fileId } = request;
      const mediaType = request.mediaType ?? (await sniffMediaType(head));
      const { group } = this.#options;
      const blob = { user, fileId, mediaType, group, blobId, sizeBytes, sha256 };
      return await this.#commitPut(request, blob);
    } catch (error) {
      if (!(error instanceof CommitInDoubt)) await writer.abort();
      throw error;
    }
  }

  /** @throws DsmError FILE_NOT_FOUND, PRECONDITION_FAILED, CATALOG_UNAVAILABLE, … */
  async delete(request: DeleteRequest): Promise<void> {
    const { user, fileId } = request;
    await this.#commitUntilWon(request, async (current) => {
      if (current?.file === undefined) {
        throw new DsmError("FILE_NOT_FOUND", `user ${user} has no file ${JSON.stringify(fileId)}`, {
          remedy: `see dsm list --user ${user}`,
        });
      }
      request.check(current.file);
      const { group, ids } = this.#options;
      return {
        kind: "delete",
        user,
        fileId,
        group,
        id: await ids.next(),
        version: current.version + 1,
        replaces: current.file.blobId,
        atMs: Date.now(),
      };
    });
  }

  async #receive(request: PutRequest, writer: BlobWriter) {
    const received = await receive(request.body, writer, request.announcedBytes);
    if (request.sha256 !== undefined && request.sha256 !== received.sha256) {
      throw new DsmError(
        "DIGEST_MISMATCH",
        `the bytes have sha-256 ${received.sha256} and the request said ${request.sha256}`,
        { remedy: "send it again; nothing was stored" },
      );
    }
    await writer.finish();
    return received;
  }

  async #commitPut(request: PutRequest, blob: Omit<FileInfo, "version" | "modifiedAtMs">) {
    let created = true;
    const change = await this.#commitUntilWon(request, (current) => {
      request.check(current?.file);
      created = current?.file === undefined;
      const version = (current?.version ?? 0) + 1;
      const file: FileInfo = { ...blob, version, modifiedAtMs: Date.now() };
      const replaces = current?.file?.blobId;
      return { kind: "put", file, ...(replaces === undefined ? {} : { replaces }) };
    });
    return { file: change.file, created };
  }

  /**
   * A change is conditional on the version before it. Who loses to another writer looks again,
   * so that the last one to finish wins, unless the request's own conditions forbid it.
   */
  async #commitUntilWon<C extends Change>(
    request: { user: string; fileId: string },
    make: (current: CurrentVersion | undefined) => C | Promise<C>,
  ): Promise<C> {
    for (let attempt = 0; attempt < limits.commitRetryMax; attempt++) {
      const change = await make(await this.#current(request));
      if (await this.#options.committer.commit(change)) return change;
    }
    throw new DsmError("CONFLICT", `${JSON.stringify(request.fileId)} is being changed by others`, {
      remedy: "try again",
    });
  }

  #current({ user, fileId }: { user: string; fileId: string }) {
    return this.#options.catalog.current(user, fileId);
  }
}
