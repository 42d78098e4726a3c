import { type ClockReading, clockOfDate } from "./clock.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly tookMs: number;
  readonly clock: ClockReading | undefined;
}

const timeoutMs = 4_000;

/** One GET over a connection of its own. @returns why there was no answer, as text */
export async function probeHttp(
  url: string,
  { signal, headers = {} }: { signal: AbortSignal; headers?: Readonly<Record<string, string>> },
): Promise<Answer | string> {
  const late = AbortSignal.timeout(timeoutMs);
  const askedMs = Date.now();
  const startMs = performance.now();
  try {
    const response = await fetch(url, {
      headers: { ...headers },
      signal: AbortSignal.any([signal, late]),
      keepalive: false,
      redirect: "manual",
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      headers: response.headers,
      tookMs: performance.now() - startMs,
      clock: clockOfDate(response.headers.get("Date"), askedMs, Date.now()),
    };
  } catch (thrown) {
    if (late.aborted) return `no answer within ${timeoutMs / 1_000} s`;
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
