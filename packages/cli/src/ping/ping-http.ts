import { DsmError } from "@dsm/protocol";

export interface Answer {
  /** What answered, for people. */
  readonly what: string;
  readonly tookMs: number;
}

export interface PingTerms {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const bodyShownMaxChars = 200;

/**
 * Asks whether a gateway is ready, or for the page that the URL names.
 * @throws DsmError UNREACHABLE, UNREACHABLE for any answer but 200, TIMEOUT
 */
export async function pingHttp(target: string, { timeoutMs, signal }: PingTerms): Promise<Answer> {
  const url = urlOf(target);
  const late = AbortSignal.timeout(timeoutMs);
  const startMs = performance.now();
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, late]),
      keepalive: false,
      redirect: "manual",
    });
    const text = await response.text();
    if (response.status === 200) return { what: "ready", tookMs: performance.now() - startMs };
    throw new DsmError("UNREACHABLE", `${url.href} answers ${response.status}: ${shown(text)}`);
  } catch (thrown) {
    signal.throwIfAborted();
    if (late.aborted) {
      throw new DsmError("TIMEOUT", `${url.href} has not answered within ${timeoutMs} ms`);
    }
    if (thrown instanceof DsmError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new DsmError("UNREACHABLE", `${url.href}: ${why}`, { cause: thrown });
  }
}

/** @throws DsmError USAGE */
function urlOf(target: string): URL {
  const url = URL.parse(target);
  if (url === null) {
    throw new DsmError("USAGE", `${JSON.stringify(target)} is no URL`, {
      remedy: "write it as http://10.0.0.1:8080",
    });
  }
  return url.pathname === "/" ? new URL("/readyz", url) : url;
}

function shown(text: string): string {
  return text.slice(0, bodyShownMaxChars).trim();
}
