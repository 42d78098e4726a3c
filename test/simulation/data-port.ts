import type { Catalog, CommitOutcome } from "@dsm/catalog";
import {
  assertCovers,
  type BlobId,
  type ClusterSecret,
  DsmError,
  etagOf,
  type FileInfo,
  type Intent,
  openCapability,
  parseMediaTarget,
} from "@dsm/protocol";
import type { Group } from "./group.ts";
import type { Life } from "./host.ts";
import { type DataAnswer, type DataListener, type DataRequest, problemOf } from "./sim-fetch.ts";

export interface DataPortOptions {
  readonly life: Life;
  readonly group: Group;
  readonly secret: ClusterSecret;
  readonly catalog: Catalog;
  readonly nextId: () => Promise<BlobId>;
  readonly isDraining: () => boolean;
}

const intents: Readonly<Record<string, Intent>> = { GET: "read", PUT: "write", DELETE: "delete" };

/**
 * The data port of a simulated storage. Of the real one it keeps what clients and trackers see:
 * capabilities are checked, writes are refused while it drains or is full, a file is there when
 * the catalog has it, and each step can be the last. How bytes become durable is not simulated.
 */
export class DataPort implements DataListener {
  readonly life: Life;
  readonly #options: DataPortOptions;
  activeRequests = 0;

  constructor(options: DataPortOptions) {
    this.life = options.life;
    this.#options = options;
  }

  async serve(request: DataRequest): Promise<DataAnswer> {
    this.activeRequests++;
    try {
      return await this.#serve(request);
    } catch (thrown) {
      if (!(thrown instanceof DsmError)) throw thrown;
      return problemOf(thrown);
    } finally {
      this.activeRequests--;
    }
  }

  async #serve({ method, path, headers, body }: DataRequest): Promise<DataAnswer> {
    const { secret, group } = this.#options;
    const intent = intents[method] ?? "read";
    const token = (headers.get("Authorization") ?? "").replace("Bearer ", "");
    const target = parseMediaTarget(path);
    const claims = openCapability(secret, token, this.life.clock.now());
    assertCovers(claims, { ...target, intent, group: group.name, remoteAddress: "::1" });
    if (intent === "read") return this.#read(claims.file);
    if (intent === "write") return this.#put(target, body);
    return this.#delete(target);
  }

  #read(file: FileInfo | undefined): DataAnswer {
    const bytes = file && this.#options.group.blobs.get(file.blobId);
    if (file === undefined || bytes === undefined) {
      throw new DsmError("FILE_NOT_FOUND", "the blob is not in this group");
    }
    const range = `bytes 0-${bytes.length - 1}/${bytes.length}`;
    return {
      status: 206,
      headers: { "Content-Range": range, ETag: etagOf(file.sha256) },
      body: bytes,
    };
  }

  async #put({ user, fileId }: { user: string; fileId: string }, body: Uint8Array) {
    const { group, catalog, nextId, isDraining } = this.#options;
    if (isDraining()) throw new DsmError("DRAINING", "this storage takes no new uploads");
    if (group.isFull) throw new DsmError("STORAGE_FULL", `group ${group.name} is full`);
    const current = await catalog.current(user, fileId);
    if (current?.file !== undefined) throw exists(fileId);
    const file: FileInfo = {
      user,
      fileId,
      group: group.name,
      blobId: await nextId(),
      version: (current?.version ?? 0) + 1,
      sizeBytes: body.length,
      sha256: Bun.SHA256.hash(body, "hex"),
      mediaType: "application/octet-stream",
      modifiedAtMs: this.life.clock.now(),
    };
    group.blobs.set(file.blobId, body);
    const [outcome] = await catalog.commit([{ kind: "put", file }]);
    if (outcome !== "in force") throw exists(fileId);
    return { status: 201, body: JSON.stringify(file) };
  }

  async #delete({ user, fileId }: { user: string; fileId: string }): Promise<DataAnswer> {
    const { group, catalog, nextId } = this.#options;
    const current = await catalog.current(user, fileId);
    if (current?.file === undefined) throw new DsmError("FILE_NOT_FOUND", `no file ${fileId}`);
    const { version, file } = current;
    const atMs = this.life.clock.now();
    const tombstone = { user, fileId, group: group.name, version: version + 1, atMs } as const;
    const change = {
      kind: "delete",
      ...tombstone,
      id: await nextId(),
      replaces: file.blobId,
    } as const;
    const [outcome]: CommitOutcome[] = await catalog.commit([change]);
    if (outcome !== "in force") throw new DsmError("CONFLICT", `${fileId} was changed meanwhile`);
    return { status: 204 };
  }
}

function exists(fileId: string): DsmError {
  return new DsmError("FILE_EXISTS", `there is a file ${fileId} already`);
}
