import { isFault } from "./door.ts";
import type { Figures } from "./figures.ts";
import type { Role } from "./role.ts";

interface LogLine {
  readonly level: number;
  readonly err?: { readonly code?: string; readonly message?: string };
}

/** From here on up it must be one of the faults that this test causes. */
const errorLevel = 50;
/** What no fault of processes, networks, disks and catalogs is ever the reason of. */
const strangeCodes = new Set(["INTERNAL", "BAD_FRAME", "UNKNOWN_MESSAGE", "FORBIDDEN"]);
/** A client that left in the middle of a request, as some here do on purpose. */
const clientLeft = /: The (?:connection was closed|operation was aborted)\.$/;

/** Everything that any process said must be what some fault explains. */
export function checkLogs(roles: readonly Role[], figures: Figures): void {
  const strange = new Map<string, string>();
  for (const role of roles) {
    for (const line of role.log.split("\n").filter((text) => text !== "")) {
      // Of what is said again and again with other numbers, once is enough.
      if (!isExplained(line))
        strange.set(line.replaceAll(/[0-9a-f]{4,}|\d+/g, "#"), `${role.name}: ${line}`);
    }
  }
  for (const what of strange.values()) figures.violations.push({ kind: "log", what });
}

function isExplained(line: string): boolean {
  let said: LogLine;
  try {
    said = JSON.parse(line) as LogLine;
  } catch {
    return false;
  }
  const { level, err } = said;
  const code = err?.code ?? "";
  if (level >= errorLevel) return isFault(code);
  return !strangeCodes.has(code) || clientLeft.test(err?.message ?? "");
}
