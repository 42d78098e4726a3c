import { parseDuration } from "@dsm/config";
import { limits } from "@dsm/protocol";
import type { ArgsDef } from "./strict.ts";

/** How long a file is to live. */
export const ttlArg = {
  ttl: { type: "string", valueHint: "SPAN", description: "Gone after so long: 90s, 36h, 7d." },
} as const satisfies ArgsDef;

/** As the SDK takes it. @throws DsmError USAGE */
export function ttlOf({ ttl }: { ttl?: string | undefined }): { ttlMs?: number } {
  if (ttl === undefined) return {};
  return { ttlMs: parseDuration("--ttl", ttl, limits.ttlMinMs, limits.ttlMaxMs) };
}
