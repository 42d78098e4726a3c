import { DsmError, isErrorCode, limits, type StorageAddress, systemErrorCode } from "@dsm/protocol";

/** The part of `fetch` that storages are asked by. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/**
 * One HTTP request to a storage's data port; every way to fail becomes a DsmError.
 * @throws DsmError with the storage's own code for an answer of 4xx or 5xx, UNREACHABLE when
 * there is no answer, and the signal's reason when it was aborted
 */
export async function askStorage(
  fetch: Fetch,
  storage: StorageAddress,
  path: string,
  init: RequestInit,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(path, storage.dataUrl), { ...init, redirect: "error" });
  } catch (cause) {
    if (init.signal?.aborted === true) throw init.signal.reason;
    throw unreachable(storage, cause);
  }
  if (response.ok) return response;
  throw await errorOfResponse(storage, response);
}

/**
 * The JSON of an answer that says that something was done.
 * @throws DsmError UNREACHABLE when it was cut: then it was done, and nobody knows what;
 * STORAGE_FAILED when it is something else
 */
export async function answerOf<T>(
  storage: StorageAddress,
  response: Response,
  schema: { parse(value: unknown): T },
): Promise<T> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw unreachable(storage, cause);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const what = `storage ${storage.storageId} answered ${response.status} with what is no answer`;
    throw new DsmError("STORAGE_FAILED", what, { cause, remedy: "is it of this version of dsm?" });
  }
}

export function unreachable(storage: StorageAddress, cause: unknown): DsmError {
  if (cause instanceof DsmError) return cause;
  const why = systemErrorCode(cause) ?? String(cause);
  return new DsmError("UNREACHABLE", `storage ${storage.storageId} did not answer: ${why}`, {
    cause,
    remedy: `is ${storage.dataUrl} up and reachable from here?`,
  });
}

/** The error that a problem JSON (RFC 9457) of a storage stands for. */
async function errorOfResponse(storage: StorageAddress, response: Response): Promise<DsmError> {
  const what = `storage ${storage.storageId} answered ${response.status}`;
  let problem: unknown;
  try {
    problem = await problemOf(response);
  } catch (cause) {
    // Cut in the middle, it may have said anything: as good as no answer.
    if (!(cause instanceof SyntaxError)) return unreachable(storage, cause);
  }
  if (typeof problem === "object" && problem !== null && "code" in problem) {
    const { code } = problem;
    const detail = "detail" in problem ? String(problem.detail) : what;
    const remedy = "remedy" in problem ? String(problem.remedy) : undefined;
    if (typeof code === "string" && isErrorCode(code))
      return new DsmError(code, detail, { remedy });
  }
  return new DsmError(response.status >= 500 ? "STORAGE_FAILED" : "BAD_REQUEST", what);
}

/** @throws SyntaxError for what is no JSON, or is longer than any problem of ours */
async function problemOf(response: Response): Promise<unknown> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > limits.problemMaxChars) break;
  }
  return JSON.parse(text);
}
