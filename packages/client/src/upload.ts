import {
  digestAtEnd,
  DsmError,
  expiresAfterHeader,
  expiresAfterText,
  type FileInfo,
  fileInfoSchema,
  limits,
  type Location,
  mediaPath,
  reprDigestOf,
  type StorageAddress,
} from "@dsm/protocol";
import { withAttempts } from "./attempts.ts";
import { FailedStorages } from "./failed-storages.ts";
import type { LocateOptions } from "./known-storages.ts";
import { SentBytes } from "./sent-bytes.ts";
import { StallGuard } from "./stall-guard.ts";
import { answerOf, askStorage } from "./storage-http.ts";
import type { StorageRests } from "./storage-rests.ts";
import type { Surroundings } from "./surroundings.ts";
import type { UploadSource } from "./upload-source.ts";

export interface UploadRequest {
  readonly user: string;
  readonly fileId: string;
  readonly source: UploadSource;
  readonly mediaType?: string;
  /** Replace a file that exists; else that is an error. */
  readonly overwrite?: boolean;
  /** Replace only this version; an ETag with its quotes, or `*`. */
  readonly ifMatch?: string;
  /**
   * So long after its commit the file is gone, in milliseconds; it stays where this is left out.
   * From `limits.ttlMinMs` to `limits.ttlMaxMs`.
   */
  readonly ttlMs?: number;
  /**
   * 64 hex digits; the storage refuses bytes that differ. The source's own unless given. Where
   * neither is known, the storage gets that of what was sent at the end of a stream, or what it
   * says it stored is compared with that.
   */
  readonly sha256?: string;
  /**
   * 64 hex digits that are known only when the source has ended, as those of a trailer. Bytes that
   * differ are not stored. Whatever it throws fails the upload.
   */
  readonly sha256AtEnd?: () => string | undefined;
  /** Told how many bytes of the current try were handed to the network. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface Uploaded {
  readonly file: FileInfo;
  /** False when an older version was replaced. */
  readonly created: boolean;
}

export interface UploadPorts {
  readonly rests: StorageRests;
  readonly surroundings: Surroundings;
  locateForWrite(user: string, fileId: string, options?: LocateOptions): Promise<Location>;
  stat(user: string, fileId: string): Promise<FileInfo>;
}

/**
 * Sends the bytes to the best storage of the user's group, and to another one if that fails
 * before the commit.
 * @throws DsmError FILE_EXISTS, PRECONDITION_FAILED, DIGEST_MISMATCH, STORAGE_FULL, …
 */
export async function upload(ports: UploadPorts, asked: UploadRequest): Promise<Uploaded> {
  const { source, signal } = asked;
  const sha256 = asked.sha256 ?? (await source.sha256?.(signal));
  const request = sha256 === undefined ? asked : { ...asked, sha256 };
  const { surroundings } = ports;
  const failed = new FailedStorages(ports.rests);
  // The last try whose bytes were all sent, but whose answer was lost.
  let inDoubt: SentBytes | undefined;
  return withAttempts(
    async (number) => {
      signal?.throwIfAborted();
      const elsewhere = number > 1;
      const { user, fileId } = request;
      const location = await ports.locateForWrite(user, fileId, { elsewhere });
      const storage = failed.order(location)[0];
      if (storage === undefined) throw new DsmError("GROUP_UNAVAILABLE", "no storage was named");
      const sent = new SentBytes(request, digestFollows(request, storage));
      try {
        return await putOnce(request, storage, location.capability, sent, surroundings);
      } catch (error) {
        source.giveUp?.();
        failed.note(storage, error);
        if (inDoubt !== undefined && isRefusal(error)) {
          const own = await ownEarlierCommit(ports, request, inDoubt);
          if (own !== undefined) return own;
        }
        if (sent.complete) inDoubt = sent;
        throw sent.sourceError ?? error;
      }
    },
    { surroundings, signal, mayRepeat: () => source.replayable },
  );
}

async function putOnce(
  request: UploadRequest,
  storage: StorageAddress,
  capability: string,
  sent: SentBytes,
  { clock, fetch }: Surroundings,
): Promise<Uploaded> {
  const what = `upload of ${JSON.stringify(request.fileId)} to storage ${storage.storageId}`;
  using guard = new StallGuard(what, limits.writeStallMs, clock, request.signal);
  const response = await askStorage(fetch, storage, mediaPath(request.user, request.fileId), {
    method: "PUT",
    headers: headersOf(request, capability, sent),
    body: sent.chunks(guard),
    signal: guard.signal,
  });
  const file = await answerOf(storage, response, fileInfoSchema);
  if (sent.complete && sent.sha256 !== file.sha256) {
    throw new DsmError(
      "DIGEST_MISMATCH",
      `${what} stored sha-256 ${file.sha256}, and ${sent.sha256} was sent`,
      { remedy: `delete it (dsm delete) and look at the network and memory of both hosts` },
    );
  }
  return { file, created: response.status === 201 };
}

/**
 * Where nobody knows the digest before the end the storage gets it behind the bytes, if it is one
 * that takes it there. Those that do not are compared with after their commit.
 */
function digestFollows({ sha256, source }: UploadRequest, storage: StorageAddress): boolean {
  return storage.digestAtEnd === true && sha256 === undefined && source.sizeBytes === undefined;
}

function headersOf(request: UploadRequest, capability: string, sent: SentBytes): Headers {
  const headers = new Headers({ Authorization: `Bearer ${capability}` });
  const { source, mediaType, sha256, ttlMs } = request;
  if (source.sizeBytes !== undefined) headers.set("Content-Length", String(source.sizeBytes));
  if (mediaType !== undefined) headers.set("Content-Type", mediaType);
  if (sha256 !== undefined) headers.set("Repr-Digest", reprDigestOf(sha256));
  if (sent.digestFollows) headers.set("Repr-Digest", digestAtEnd);
  if (ttlMs !== undefined) headers.set(expiresAfterHeader, expiresAfterText(ttlMs));
  setConditions(headers, request);
  return headers;
}

/** What must be so of the file that is there, for a new version to take its place. */
export function setConditions(
  headers: Headers,
  { ifMatch, overwrite }: Pick<UploadRequest, "ifMatch" | "overwrite">,
): void {
  if (ifMatch !== undefined) headers.set("If-Match", ifMatch);
  else if (overwrite !== true) headers.set("If-None-Match", "*");
}

/** The file that is there now stands in the way of a new version. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof DsmError)) return false;
  return error.code === "FILE_EXISTS" || error.code === "PRECONDITION_FAILED";
}

/**
 * An earlier try may have been committed although its answer was lost; then this one finds the
 * file there. If it holds exactly the bytes that were sent, the upload is done.
 */
async function ownEarlierCommit(
  ports: UploadPorts,
  request: UploadRequest,
  sent: SentBytes,
): Promise<Uploaded | undefined> {
  const file = await ports.stat(request.user, request.fileId).catch((error: unknown) => {
    // It was deleted meanwhile; what the storage said of the request is what there is to tell.
    if (error instanceof DsmError && error.code === "FILE_NOT_FOUND") return undefined;
    throw error;
  });
  if (file?.sha256 !== sent.sha256) return undefined;
  return { file, created: request.ifMatch === undefined };
}
