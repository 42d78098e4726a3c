import { etagOf, mediaPath, reprDigestOf, systemErrorCode } from "@dsm/protocol";
import { bytesOf, type Content } from "./content.ts";
import {
  type Door,
  isFault,
  type ListedFile,
  type ListOutcome,
  type Part,
  type PutOptions,
  type ReadOutcome,
  type Taker,
  type WriteOutcome,
} from "./door.ts";
import { absent, type Condition, type MediaKey } from "./file-history.ts";

interface HttpDoorOptions {
  readonly name: string;
  readonly origin: string;
  readonly staleMs: number;
  readonly mayAnswerInOutage: boolean;
  readonly userAgent: string;
}

/**
 * A connection of its own: when one that was used before breaks, Bun's fetch sends the request a
 * second time and tells nobody, and what is refused then may have been done by the first.
 */
const sentOnce = { keepalive: false } as const;

/** So long a client waits that found nobody to talk to. */
const nobodyThereMs = 100;

/** Plain HTTP through one gateway, as any other program would. */
export class HttpDoor implements Door {
  readonly name: string;
  readonly staleMs: number;
  readonly mayAnswerInOutage: boolean;
  readonly #origin: string;
  readonly #userAgent: string;

  constructor(options: HttpDoorOptions) {
    this.name = options.name;
    this.staleMs = options.staleMs;
    this.mayAnswerInOutage = options.mayAnswerInOutage;
    this.#origin = options.origin;
    this.#userAgent = options.userAgent;
  }

  async put(key: MediaKey, content: Content, options: PutOptions): Promise<WriteOutcome> {
    const { condition, wrongSha256, isUnannounced = false, ttlMs, signal } = options;
    const digest = reprDigestOf(wrongSha256 ?? content.sha256);
    const headers = {
      ...(isUnannounced ? {} : { "Repr-Digest": digest }),
      ...(ttlMs === undefined ? {} : { "X-Expires-After": `${ttlMs}ms` }),
      ...conditionHeaders(condition),
    };
    const bytes = bytesOf(content);
    const body = isUnannounced ? new Blob([bytes]).stream() : bytes;
    const init = { method: "PUT", body, headers, signal, ...sentOnce };
    const answer = await this.#ask(mediaPath(key.user, key.fileId), init);
    return writeOutcome(answer, wrongSha256 === undefined ? [200, 201] : []);
  }

  async delete(key: MediaKey, condition: Condition, signal: AbortSignal): Promise<WriteOutcome> {
    const headers = conditionHeaders(condition);
    const init = { method: "DELETE", headers, signal, ...sentOnce };
    return writeOutcome(await this.#ask(mediaPath(key.user, key.fileId), init), [204]);
  }

  async read(
    key: MediaKey,
    part: Part | undefined,
    take: Taker,
    signal: AbortSignal,
  ): Promise<ReadOutcome> {
    const headers: Record<string, string> =
      part === undefined ? {} : { Range: `bytes=${part.start}-${part.endExclusive - 1}` };
    const answer = await this.#ask(mediaPath(key.user, key.fileId), { headers, signal });
    if (answer instanceof Error) return { is: "failed", why: String(answer) };
    if (answer.status === 416) return { is: "failed", why: "416, it is shorter" };
    if (!answer.ok) return readFailure(await problemOf(answer));
    const body = bodyOf(answer, part);
    if (typeof body === "string") return { is: "unexplained", why: body };
    let at = body.start;
    try {
      for await (const bytes of answer.body ?? []) {
        take(body.state, bytes, at);
        at += bytes.length;
      }
    } catch (error) {
      // A body that breaks is what a reader can tell from a whole one.
      return { is: "failed", why: `after ${at - body.start} bytes: ${String(error)}` };
    }
    if (at === body.start) take(body.state, new Uint8Array(), at);
    if (at === body.endExclusive) return { is: "seen", ...body };
    const why = `${at - body.start} of ${body.endExclusive - body.start} bytes came as if all had`;
    return { is: "unexplained", why };
  }

  async stat(key: MediaKey, signal: AbortSignal): Promise<ReadOutcome> {
    const init = { method: "HEAD", signal };
    const answer = await this.#ask(mediaPath(key.user, key.fileId), init);
    if (answer instanceof Error) return { is: "failed", why: String(answer) };
    const sizeBytes = Number(answer.headers.get("Content-Length") ?? NaN);
    if (answer.ok) return { is: "seen", state: stateOf(answer), sizeBytes };
    if (answer.status === 404) return { is: "seen", state: absent, sizeBytes: 0 };
    const why = `HEAD was answered with ${answer.status}`;
    return { is: answer.status > 500 ? "failed" : "unexplained", why };
  }

  async list(
    query: { user: string; after?: string; limit: number },
    signal: AbortSignal,
  ): Promise<ListOutcome> {
    const { user, after, limit } = query;
    const parameters = new URLSearchParams({ user, limit: String(limit) });
    if (after !== undefined) parameters.set("after", after);
    const answer = await this.#ask(`/api/v1/files?${parameters.toString()}`, { signal });
    if (answer instanceof Error) return { is: "failed", why: String(answer) };
    if (!answer.ok) {
      const problem = await problemOf(answer);
      return { is: isFault(problem.code) ? "failed" : "unexplained", why: problem.why };
    }
    try {
      const page = (await answer.json()) as { files: ListedFile[]; next?: string };
      return { is: "listed", ...page };
    } catch (error) {
      return { is: "failed", why: String(error) };
    }
  }

  /** @returns the error where there is no answer */
  async #ask(path: string, init: RequestInit): Promise<Response | Error> {
    const headers = new Headers(init.headers);
    headers.set("User-Agent", this.#userAgent);
    try {
      return await fetch(`${this.#origin}${path}`, { ...init, headers });
    } catch (error) {
      if (wasNeverSent(error)) await Bun.sleep(nobodyThereMs);
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

const refusals = new Set(["FILE_EXISTS", "PRECONDITION_FAILED", "QUOTA_EXCEEDED"]);

/** Nobody took the connection, so nobody knows of the request. */
function wasNeverSent(error: unknown): boolean {
  return systemErrorCode(error) === "ECONNREFUSED";
}

function conditionHeaders(condition: Condition): Record<string, string> {
  if (condition.is === "absent") return { "If-None-Match": "*" };
  return condition.is === "state" ? { "If-Match": etagOf(condition.state) } : {};
}

interface Problem {
  readonly code: string;
  readonly why: string;
}

/** @returns the code "" for what is no problem JSON */
async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text().catch(String);
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return { code: String(code), why: `${answer.status} ${String(code)}: ${String(detail)}` };
  } catch {
    return { code: "", why: `${answer.status}: ${text.slice(0, 200)}` };
  }
}

async function writeOutcome(
  answer: Response | Error,
  done: readonly number[],
): Promise<WriteOutcome> {
  if (answer instanceof Error) {
    return { is: wasNeverSent(answer) ? "no effect" : "in doubt", why: String(answer) };
  }
  if (done.includes(answer.status)) {
    // The answer is what counts, whether its body arrives or not.
    await answer.body?.cancel().catch(() => {});
    return { is: "done" };
  }
  const { code, why } = await problemOf(answer);
  if (code === "FILE_NOT_FOUND") return { is: "not there" };
  if (code === "DIGEST_MISMATCH" && done.length === 0) return { is: "no effect", why };
  // The gateway tries again by itself: an earlier try may be what it was refused for.
  if (refusals.has(code) || isFault(code)) return { is: "in doubt", why };
  return { is: "unexplained", why };
}

function readFailure({ code, why }: Problem): ReadOutcome {
  if (code === "FILE_NOT_FOUND") return { is: "seen", state: absent, sizeBytes: 0 };
  // Another version than the one of which this reader has a part already.
  if (code === "PRECONDITION_FAILED" || isFault(code)) return { is: "failed", why };
  return { is: "unexplained", why };
}

/** Which bytes of which version an answer says to hold; in words what is wrong with it. */
function bodyOf(
  answer: Response,
  part: Part | undefined,
): { state: string; start: number; endExclusive: number; sizeBytes: number } | string {
  const state = stateOf(answer);
  const length = Number(answer.headers.get("Content-Length") ?? NaN);
  if (answer.status === 200) return { state, start: 0, endExclusive: length, sizeBytes: length };
  const range = answer.headers.get("Content-Range") ?? "";
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
  const [start, endExclusive] = [Number(first), Number(last) + 1];
  const wantedEnd = Math.min(part?.endExclusive ?? 0, Number(size));
  const isAsAsked = start === part?.start && endExclusive === wantedEnd;
  if (answer.status === 206 && isAsAsked && endExclusive - start === length) {
    return { state, start, endExclusive, sizeBytes: Number(size) };
  }
  const asked = part === undefined ? "all" : `${part.start} to ${part.endExclusive}`;
  return `asked for ${asked}, it answered ${answer.status} ${range} with ${length} bytes`;
}

/** An ETag is the SHA-256 in quotes. */
function stateOf(answer: Response): string {
  return (answer.headers.get("ETag") ?? "").replaceAll('"', "");
}
