import { DsmError } from "./errors.ts";
import { limits } from "./limits.ts";

/** Units of spans of time as people write them, in milliseconds, the largest first. */
export const spanUnits: ReadonlyMap<string, number> = new Map([
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
]);

/** Of a PUT: so long after its commit the file is gone. Whole seconds, or a span with its unit. */
export const expiresAfterHeader = "X-Expires-After";

/**
 * How long a file is to live, in milliseconds; undefined where the request does not say.
 * @throws DsmError BAD_REQUEST for what is no span, or is outside of limits.ttlMinMs and ttlMaxMs
 */
export function expiresAfterOf(headers: Pick<Headers, "get">): number | undefined {
  const written = headers.get(expiresAfterHeader);
  if (written === null) return undefined;
  const ttlMs = spanOf(written.trim());
  if (ttlMs === undefined) throw badSpan(written, "it is no span of time");
  if (ttlMs < limits.ttlMinMs) throw badSpan(written, "it is less than a second");
  if (ttlMs > limits.ttlMaxMs) throw badSpan(written, "it is more than ten years");
  return ttlMs;
}

/** The value of the header for so many milliseconds. */
export function expiresAfterText(ttlMs: number): string {
  return `${ttlMs}ms`;
}

function spanOf(written: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,16})([a-z]*)$/.exec(written) ?? [];
  const unitMs = spanUnits.get(unit === "" ? "s" : unit);
  return digits === undefined || unitMs === undefined ? undefined : Number(digits) * unitMs;
}

function badSpan(written: string, why: string): DsmError {
  const shown = JSON.stringify(written.slice(0, 80));
  return new DsmError("BAD_REQUEST", `${expiresAfterHeader}: ${shown} is wrong: ${why}`, {
    remedy: "send whole seconds, or a span as 90s, 36h or 7d",
  });
}
