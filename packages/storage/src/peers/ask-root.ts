import {
  type ClusterSecret,
  DsmError,
  isErrorCode,
  limits,
  maintenanceLineSchema,
  signMaintenance,
} from "@dsm/protocol";
import { type Life, type RootSeen, rootSeenSchema } from "./root-job.ts";

interface Question {
  readonly secret: ClusterSecret;
  readonly group: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks the storage at `dataUrl` how it finds its root, and whether these lives of storages have
 * left a trace there.
 * @throws DsmError with the storage's own code; UNREACHABLE without an answer within
 * limits.peerAskTimeoutMs; UNKNOWN_ROUTE from an older dsm
 */
export async function askRoot(
  dataUrl: string,
  lives: readonly Life[],
  { secret, group, signal }: Question,
): Promise<RootSeen> {
  const late = AbortSignal.timeout(limits.peerAskTimeoutMs);
  const right = signMaintenance(secret, group, Date.now() + limits.maintenanceRightTtlMs);
  try {
    const response = await fetch(new URL("/maintenance/root", dataUrl), {
      method: "POST",
      headers: { Authorization: `Bearer ${right}`, "Content-Type": "application/json" },
      body: JSON.stringify({ lives }),
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
      keepalive: false,
      redirect: "error",
    });
    const text = await response.text();
    if (!response.ok) throw problemOf(response.status, text);
    return seenOf(text);
  } catch (cause) {
    if (cause instanceof DsmError) throw cause;
    const why = late.aborted ? `silent for ${limits.peerAskTimeoutMs} ms` : String(cause);
    throw new DsmError("UNREACHABLE", `the storage at ${dataUrl} did not answer: ${why}`, {
      cause,
      remedy: "is it up, and may this host reach it?",
    });
  }
}

/** The last line of the answer is what counts. */
function seenOf(text: string): RootSeen {
  const line = maintenanceLineSchema.parse(JSON.parse(text.trimEnd().split("\n").at(-1) ?? ""));
  if ("done" in line) return rootSeenSchema.parse(line.done);
  if (!("error" in line)) throw new Error("its answer was cut off");
  throw errorOf(line.error.code, line.error.message);
}

/** An answer that is no problem JSON (RFC 9457) comes from something else than a storage. */
function problemOf(status: number, text: string): DsmError {
  const problem: unknown = JSON.parse(text);
  const hasCode = typeof problem === "object" && problem !== null && "code" in problem;
  const detail = hasCode && "detail" in problem ? String(problem.detail) : `it answered ${status}`;
  return errorOf(hasCode ? String(problem.code) : "", detail);
}

function errorOf(code: string, message: string): DsmError {
  return new DsmError(isErrorCode(code) ? code : "STORAGE_FAILED", message);
}
