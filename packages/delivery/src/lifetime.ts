import type { FileInfo } from "@dsm/protocol";
import { formatHttpDate } from "./http-date.ts";
import type { ServingPolicy } from "./policy.ts";

/**
 * What caches are told of how long an answer is good. Of a file that expires no cache may serve a
 * byte once it is gone: its lifetimes are cut to what is left (RFC 9111, section 5.2.2.1), Expires
 * stands for one that a cache would have guessed (section 4.2.2), and nothing may be served stale
 * (RFC 5861).
 */
export function lifetimeHeaders(
  { expiresAtMs }: FileInfo,
  { cacheControl, vary }: ServingPolicy,
  nowMs: number,
): Readonly<Record<string, string>> {
  const varies = vary === undefined ? {} : { vary };
  if (expiresAtMs === undefined) return { "cache-control": cacheControl, ...varies };
  const leftS = Math.max(0, Math.floor((expiresAtMs - nowMs) / 1_000));
  return {
    "cache-control": within(cacheControl, leftS),
    expires: formatHttpDate(expiresAtMs),
    ...varies,
  };
}

/** A list element; commas within quotes do not end it (RFC 9110, section 5.6.1). */
const directivePattern = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;

function within(cacheControl: string, leftS: number): string {
  const directives = (cacheControl.match(directivePattern) ?? []).map((it) => it.trim());
  const kept = directives.filter((it) => !/^stale-(?:while-revalidate|if-error)\b/i.test(it));
  return kept.map((it) => cutAge(it, leftS)).join(", ");
}

function cutAge(directive: string, leftS: number): string {
  const [, name, seconds] = /^((?:s-)?max-?age)\s*=\s*"?(\d+)"?$/i.exec(directive) ?? [];
  if (name === undefined) return directive;
  return `${name}=${Math.min(Number(seconds), leftS)}`;
}
