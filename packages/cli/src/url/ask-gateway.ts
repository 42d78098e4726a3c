import {
  DsmError,
  isErrorCode,
  limits,
  type LinkAnswer,
  linkAnswerSchema,
  type LinkRequest,
  systemErrorCode,
} from "@dsm/protocol";
import { z } from "zod";

export interface AskTerms {
  readonly writeKey: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Lets a gateway sign a link.
 * @throws DsmError with the gateway's own code, or UNREACHABLE
 */
export async function askGateway(
  gateway: string,
  request: LinkRequest,
  terms: AskTerms,
): Promise<LinkAnswer> {
  const response = await post(`${gateway}/api/v1/links`, request, terms);
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refusal(gateway, response.status, body);
  const answer = linkAnswerSchema.safeParse(body);
  if (answer.success) return answer.data;
  throw noGateway(gateway, "it answered something else than a link");
}

async function post(url: string, body: unknown, terms: AskTerms): Promise<Response> {
  const { writeKey, signal } = terms;
  const authorization = writeKey === undefined ? {} : { Authorization: `Bearer ${writeKey}` };
  try {
    return await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...authorization },
      body: JSON.stringify(body),
      // The key is for this gateway and for nobody that it may send us to.
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(limits.requestTimeoutMs)]),
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw noGateway(url, systemErrorCode(cause) ?? String(cause), cause);
  }
}

/** RFC 9457. */
const problemSchema = z.object({
  code: z.string(),
  detail: z.string(),
  remedy: z.string().optional(),
});

function refusal(gateway: string, status: number, body: unknown): DsmError {
  const problem = problemSchema.safeParse(body);
  if (!problem.success || !isErrorCode(problem.data.code)) {
    return noGateway(gateway, `it answered ${status}`);
  }
  const { code, detail, remedy } = problem.data;
  if (code !== "UNAUTHENTICATED") return new DsmError(code, detail, { remedy });
  return new DsmError(code, "the gateway makes links for those alone who have its write key", {
    remedy: "set DSM_WRITE_KEY, or name a file with link keys with --key-file",
  });
}

function noGateway(gateway: string, why: string, cause?: unknown): DsmError {
  return new DsmError("UNREACHABLE", `no gateway makes links at ${gateway}: ${why}`, {
    remedy: "name another with --gateway, or sign here with --key-file or DSM_LINK_KEYS",
    cause,
  });
}
