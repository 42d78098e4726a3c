import { bytesSource, type DsmClient } from "@dsm/client";
import { DsmError, etagOf } from "@dsm/protocol";
import { bytesOf, type Content } from "./content.ts";
import {
  type Door,
  isFault,
  type ListOutcome,
  type Part,
  type PutOptions,
  type ReadOutcome,
  type RestoreOutcome,
  type Taker,
  type WriteOutcome,
} from "./door.ts";
import { absent, type Condition, type MediaKey, type State } from "./file-history.ts";

/** The SDK, which asks trackers and storages by itself. Nothing is remembered between requests. */
export class SdkDoor implements Door {
  readonly name = "sdk";
  readonly staleMs = 0;
  readonly mayAnswerInOutage = false;
  readonly #client: DsmClient;

  constructor(client: DsmClient) {
    this.#client = client;
  }

  async put(key: MediaKey, content: Content, options: PutOptions): Promise<WriteOutcome> {
    const { condition, wrongSha256, isUnannounced = false, ttlMs, signal } = options;
    const source = bytesSource(bytesOf(content));
    const { replayable, sizeBytes } = source;
    const length = isUnannounced || sizeBytes === undefined ? {} : { sizeBytes };
    let tries = 0;
    const open = () => {
      tries++;
      return source.open();
    };
    try {
      await this.#client.upload({
        ...key,
        source: { replayable, ...length, open },
        overwrite: condition.is !== "absent",
        ...(condition.is === "state" ? { ifMatch: etagOf(condition.state) } : {}),
        ...(wrongSha256 === undefined ? {} : { sha256: wrongSha256 }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
        signal,
      });
      return { is: "done" };
    } catch (error) {
      const code = codeOf(error);
      const why = whyOf(error);
      if (code === "DIGEST_MISMATCH" && wrongSha256 !== undefined) return { is: "no effect", why };
      // Nobody was ever asked for the bytes.
      if (tries === 0 && isExpected(error, signal)) return { is: "no effect", why };
      if (code === "QUOTA_EXCEEDED") return { is: tries === 1 ? "no effect" : "in doubt", why };
      if (code === "FILE_EXISTS" || code === "PRECONDITION_FAILED") {
        // An earlier try of this same upload may be what it was refused for.
        return tries === 1 ? { is: "refused", why } : { is: "in doubt", why };
      }
      return isExpected(error, signal) ? { is: "in doubt", why } : { is: "unexplained", why };
    }
  }

  async delete(key: MediaKey, condition: Condition, signal: AbortSignal): Promise<WriteOutcome> {
    const ifMatch = condition.is === "state" ? { ifMatch: etagOf(condition.state) } : {};
    try {
      await this.#client.delete({ ...key, ...ifMatch, signal });
      return { is: "done" };
    } catch (error) {
      const code = codeOf(error);
      const why = whyOf(error);
      if (code === "FILE_NOT_FOUND") return { is: "not there" };
      if (code === "PRECONDITION_FAILED") return { is: "in doubt", why };
      return isExpected(error, signal) ? { is: "in doubt", why } : { is: "unexplained", why };
    }
  }

  /** The oldest one, which may be reaped at the same moment. */
  async restore(
    { user, fileId }: MediaKey,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<RestoreOutcome> {
    let state: State | undefined;
    try {
      const { blobs } = await this.#client.trash({ user, prefix: fileId, limit: 100 });
      const file = blobs.find((it) => it.file.fileId === fileId)?.file;
      if (file === undefined) return { outcome: { is: "no effect", why: "nothing in the trash" } };
      state = file.sha256;
      const overwrite = condition.is !== "absent";
      await this.#client.restore({ user, fileId, blobId: file.blobId, overwrite, signal });
      return { state, outcome: { is: "done" } };
    } catch (error) {
      const why = whyOf(error);
      const isExpectable = isExpected(error, signal) || restoreRefusals.has(codeOf(error));
      const outcome = { is: isExpectable ? "in doubt" : "unexplained", why } as const;
      return state === undefined ? { outcome } : { state, outcome };
    }
  }

  async read(
    key: MediaKey,
    part: Part | undefined,
    take: Taker,
    signal: AbortSignal,
  ): Promise<ReadOutcome> {
    try {
      const { file } = await this.#client.locateFile(key.user, key.fileId, { signal });
      const start = Math.min(part?.start ?? 0, file.sizeBytes);
      const endExclusive = Math.min(part?.endExclusive ?? file.sizeBytes, file.sizeBytes);
      const { body } = await this.#client.open({ ...key, file, start, endExclusive, signal });
      let at = start;
      for await (const bytes of body) {
        take(file.sha256, bytes, at);
        at += bytes.length;
      }
      if (at === start) take(file.sha256, new Uint8Array(), at);
      const { sha256: state, sizeBytes } = file;
      if (at === endExclusive) return { is: "seen", state, sizeBytes };
      return {
        is: "unexplained",
        why: `a body ended after ${at - start} bytes as if it were whole`,
      };
    } catch (error) {
      return readFailure(error, signal);
    }
  }

  async stat({ user, fileId }: MediaKey, signal: AbortSignal): Promise<ReadOutcome> {
    try {
      const { sha256, sizeBytes } = await this.#client.stat(user, fileId, { signal });
      return { is: "seen", state: sha256, sizeBytes };
    } catch (error) {
      return readFailure(error, signal);
    }
  }

  async list(
    query: { user: string; after?: string; limit: number },
    signal: AbortSignal,
  ): Promise<ListOutcome> {
    try {
      const { files, next } = await this.#client.list(query);
      return { is: "listed", files, ...(next === undefined ? {} : { next }) };
    } catch (error) {
      const is = isExpected(error, signal) ? "failed" : "unexplained";
      return { is, why: whyOf(error) };
    }
  }
}

function readFailure(error: unknown, signal: AbortSignal): ReadOutcome {
  const code = codeOf(error);
  const why = whyOf(error);
  if (code === "FILE_NOT_FOUND") return { is: "seen", state: absent, sizeBytes: 0 };
  const isFailed = code === "PRECONDITION_FAILED" || isExpected(error, signal);
  return { is: isFailed ? "failed" : "unexplained", why };
}

/** Any of these may be the answer to a second try of what the first has done. */
const restoreRefusals = new Set(["FILE_NOT_FOUND", "FILE_EXISTS", "QUOTA_EXCEEDED"]);

function codeOf(error: unknown): string {
  return error instanceof DsmError ? error.code : "";
}

function whyOf(error: unknown): string {
  return error instanceof DsmError ? `${error.code}: ${error.message}` : String(error);
}

/** A fault, or that this test itself had no more patience. */
function isExpected(error: unknown, signal: AbortSignal): boolean {
  return isFault(codeOf(error)) || signal.aborted;
}
