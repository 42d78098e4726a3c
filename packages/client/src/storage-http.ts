import { DsmError, isErrorCode, limits, type StorageAddress, systemErrorCode } from "@dsm/protocol";

/**
 * One HTTP request to a storage's data port; every way to fail becomes a DsmError.
 * @throws DsmError with the storage's own code for an answer of 4xx or 5xx, UNREACHABLE when
 * there is no answer, and the signal's reason when it was aborted
 */
export async function askStorage(
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
  const problem = await problemOf(response).catch(() => undefined);
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
