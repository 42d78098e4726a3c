import {
  assertFileId,
  assertUser,
  clusterSecret,
  DsmError,
  type Emptied,
  type FileInfo,
  type Intent,
  isExpired,
  limits,
  type ListPage,
  type Location,
  type MovesPage,
  type RequestOf,
  type StoredSpace,
  type TrackerStatus,
  type TrashPage,
  type UserUsage,
} from "@dsm/protocol";
import { RpcPool, type RpcResult } from "@dsm/rpc";
import { withAttempts } from "./attempts.ts";
import { deleteFile, type DeletePorts, type DeleteRequest } from "./delete-file.ts";
import { type EmptyPorts, type EmptyRequest, emptyTrash } from "./empty-trash.ts";
import { type JobLine, maintain, type MaintainRequest } from "./maintain.ts";
import type { LocateOptions } from "./known-storages.ts";
import type { ReadObserver } from "./read-observer.ts";
import { type ReadContext, RangeReader } from "./read-range.ts";
import type { LocatedFile, LocateFileOptions } from "./located-file.ts";
import { assertRemoved } from "./remove-storage.ts";
import { restoreFile, type RestorePorts, type RestoreRequest } from "./restore-file.ts";
import { StorageRests } from "./storage-rests.ts";
import { realSurroundings, type Surroundings } from "./surroundings.ts";
import { upload, type Uploaded, type UploadPorts, type UploadRequest } from "./upload.ts";

export interface ClientOptions {
  /** `host:port` of any number of trackers; one that fails is passed over. */
  readonly trackers: readonly string[];
  readonly secret: string;
  readonly role?: "client" | "gateway";
  /** With no byte of a read after this long, a second storage is asked; limits.hedgeAfterMs. */
  readonly hedgeAfterMs?: number | undefined;
  /** A storage that sends no byte of a read for this long is given up; limits.upstreamStallMs. */
  readonly upstreamStallMs?: number | undefined;
  readonly observer?: ReadObserver;
  readonly surroundings?: Surroundings;
}

export interface OpenRequest {
  readonly user: string;
  readonly fileId: string;
  /** First byte, 0 unless given. */
  readonly start?: number;
  /** One past the last byte, the size of the file unless given. */
  readonly endExclusive?: number;
  /** Read this version and no other; PRECONDITION_FAILED when the file is another by now. */
  readonly file?: FileInfo;
  readonly signal?: AbortSignal;
}

/**
 * The SDK: locate, upload, download, delete. Every operation tries again by itself, on other
 * trackers and storages, as long as trying again can help.
 */
export class DsmClient implements AsyncDisposable {
  readonly #trackers: RpcPool;
  readonly #surroundings: Surroundings;
  readonly #rests: StorageRests;
  readonly #reads: ReadContext;

  constructor(options: ClientOptions) {
    const { hedgeAfterMs = limits.hedgeAfterMs, upstreamStallMs = limits.upstreamStallMs } =
      options;
    const { surroundings = realSurroundings } = options;
    const { clock, random, dial } = surroundings;
    const secret = clusterSecret(options.secret);
    this.#surroundings = surroundings;
    this.#rests = new StorageRests(() => clock.monotonicMs());
    this.#trackers = new RpcPool({
      endpoints: startingAnywhere(options.trackers, random),
      role: options.role ?? "client",
      secret,
      dial,
      clock,
    });
    this.#reads = {
      secret,
      hedgeAfterMs,
      stallMs: upstreamStallMs,
      rests: this.#rests,
      surroundings,
      observer: options.observer ?? {},
      locate: (request, where) => this.#trackers.call("locate", request, where),
    };
  }

  /** @throws DsmError FILE_EXISTS unless `overwrite` or `ifMatch` says otherwise, … */
  async upload(request: UploadRequest): Promise<Uploaded> {
    assertNames(request);
    return upload(this.#ports(), request);
  }

  /** @throws DsmError FILE_NOT_FOUND or USER_NOT_FOUND */
  async stat(user: string, fileId: string, options: { signal?: AbortSignal } = {}) {
    assertNames({ user, fileId });
    return this.#again(() => this.#trackers.call("stat", { user, fileId }, options));
  }

  /** One page, in the order of the bytes of the ids. @throws DsmError USER_NOT_FOUND */
  async list(query: RequestOf<"list">): Promise<ListPage> {
    assertUser(query.user);
    return this.#again(() => this.#trackers.call("list", query));
  }

  /** @throws DsmError FILE_NOT_FOUND, PRECONDITION_FAILED, … */
  async delete(request: DeleteRequest): Promise<void> {
    assertNames(request);
    return deleteFile(this.#ports(), request);
  }

  /** One page of what can be restored, oldest first. @throws DsmError USER_NOT_FOUND */
  async trash(query: RequestOf<"trash">): Promise<TrashPage> {
    assertUser(query.user);
    return this.#again(() => this.#trackers.call("trash", query));
  }

  /** @throws DsmError FILE_NOT_FOUND, FILE_EXISTS, QUOTA_EXCEEDED, … */
  async restore(request: RestoreRequest): Promise<Uploaded> {
    assertNames(request);
    if (request.as !== undefined) assertFileId(request.as);
    return restoreFile(this.#ports(), request);
  }

  /** Unlinks what of a user, or of one file, lies in the trash. */
  async emptyTrash(request: EmptyRequest): Promise<Emptied> {
    assertUser(request.user);
    if (request.fileId !== undefined) assertFileId(request.fileId);
    return emptyTrash(this.#ports(), request);
  }

  /** What a user has: live files, trash, and the quota. @throws DsmError USER_NOT_FOUND */
  async usage(user: string): Promise<UserUsage> {
    assertUser(user);
    return this.#again(() => this.#trackers.call("usage", { user }));
  }

  /** What all users of a group have there together. */
  async groupUsage(group: string): Promise<StoredSpace> {
    return this.#again(() => this.#trackers.call("space", { group }));
  }

  /** Undefined takes the limit away. @throws DsmError USER_NOT_FOUND */
  async setQuota(user: string, quotaBytes: number | undefined): Promise<UserUsage> {
    assertUser(user);
    const quota = { user, quotaBytes: quotaBytes ?? null };
    return this.#again(() => this.#trackers.call("quota", quota));
  }

  /** The current version of a file and the storages that have it. */
  async locateFile(
    user: string,
    fileId: string,
    { mayWait, ...options }: LocateFileOptions = {},
  ): Promise<LocatedFile> {
    assertNames({ user, fileId });
    const terms = mayWait === undefined ? {} : { mayWait };
    const locate = () => this.#reads.locate({ user, fileId, intent: "read", ...terms });
    const location = await this.#again(locate, options);
    if (location.file === undefined) throw new TypeError("a located file has a version");
    return { file: location.file, location };
  }

  /**
   * The bytes of a file or of a part of it, all of one version. A storage that dies meanwhile is
   * replaced by another; the body breaks only when nobody can serve the rest.
   */
  async open(request: OpenRequest): Promise<{ file: FileInfo; body: AsyncIterable<Uint8Array> }> {
    const { user, fileId, signal } = request;
    const located =
      request.file === undefined ? await this.locateFile(user, fileId, { signal }) : undefined;
    const file = request.file ?? located!.file;
    return { file, body: await this.openLocated({ file, location: located?.location }, request) };
  }

  /** As `open`, for a file that was located before. @throws DsmError FILE_NOT_FOUND, … */
  async openLocated(
    located: { file: FileInfo; location?: Location | undefined },
    range: { start?: number; endExclusive?: number; signal?: AbortSignal },
  ): Promise<AsyncGenerator<Uint8Array>> {
    const { file, location } = located;
    const { start = 0, endExclusive = file.sizeBytes, signal } = range;
    assertUnexpired(file, this.#surroundings.clock.now());
    const reader = new RangeReader(this.#reads, { file, start, endExclusive, signal }, location);
    return reader.open();
  }

  /** The cluster as one tracker sees it. */
  status(): Promise<TrackerStatus> {
    return this.#trackers.call("status", {});
  }

  /** Work on a whole group; see protocol/maintenance.ts. It ends when its reader leaves. */
  maintain(request: MaintainRequest): AsyncGenerator<JobLine, void, undefined> {
    const { secret, surroundings } = this.#reads;
    return maintain({ secret, surroundings, status: () => this.status() }, request);
  }

  /** The cluster as each tracker sees it, in the order of their addresses. */
  async statusAll(): Promise<Array<RpcResult<"status">>> {
    const results = await this.#trackers.callAll("status", {});
    return results.toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
  }

  /** Stops naming a storage to clients, or names it again. @throws DsmError MEMBER_NOT_FOUND */
  async drain(storageId: string, draining: boolean): Promise<void> {
    await this.#trackers.call("drain", { storageId, draining });
  }

  /** @throws DsmError MEMBER_NOT_FOUND, CONFLICT for one that is online, UNREACHABLE */
  async removeStorage(storageId: string): Promise<void> {
    const results = await this.#trackers.callAll("remove", { storageId });
    assertRemoved(storageId, results);
  }

  /** One page of the users whose files still have to move to their group. */
  async moves(query: RequestOf<"moves">): Promise<MovesPage> {
    if (query.user !== undefined) assertUser(query.user);
    return this.#again(() => this.#trackers.call("moves", query));
  }

  /**
   * Makes a group that of a user; the storages of the group fetch the files, see `moves`.
   * @throws DsmError GROUP_UNAVAILABLE, STORAGE_FULL
   */
  async assign(user: string, group: string): Promise<string> {
    assertUser(user);
    return (await this.#trackers.call("assign", { user, group })).group;
  }

  close(): Promise<void> {
    this.#trackers.close();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #again<T>(attempt: () => Promise<T>, options: LocateFileOptions = {}): Promise<T> {
    return withAttempts(attempt, { surroundings: this.#surroundings, ...options });
  }

  #ports(): UploadPorts & DeletePorts & RestorePorts & EmptyPorts {
    const locate = (intent: Intent) => (user: string, fileId: string, options?: LocateOptions) => {
      const request = { user, fileId, intent, ...groupOf(options) };
      return this.#trackers.call("locate", request, options);
    };
    return {
      rests: this.#rests,
      surroundings: this.#surroundings,
      locateForWrite: locate("write"),
      locateForDelete: locate("delete"),
      stat: (user, fileId) => this.stat(user, fileId),
      trash: (query) => this.trash(query),
    };
  }
}

function groupOf(options: LocateOptions | undefined): { group?: string } {
  return options?.group === undefined ? {} : { group: options.group };
}

/** Whoever has begun to read may read on; nobody begins any more. */
function assertUnexpired(file: FileInfo, nowMs: number): void {
  if (!isExpired(file, nowMs)) return;
  throw new DsmError("FILE_NOT_FOUND", `${file.user}/${file.fileId} has expired`, {
    remedy: `see dsm list --user ${file.user}`,
  });
}

function assertNames({ user, fileId }: { user: string; fileId: string }): void {
  assertUser(user);
  assertFileId(fileId);
}

/** Trackers are equal: clients that begin with different ones share the load between them. */
function startingAnywhere(trackers: readonly string[], random: () => number): string[] {
  const first = Math.floor(random() * trackers.length);
  return [...trackers.slice(first), ...trackers.slice(0, first)];
}
