import type { Finding } from "./checks.ts";
import { type Level, levels } from "./finding.ts";

const signs: Readonly<Record<Level, string>> = {
  error: "ERROR",
  warning: "WARNING",
  skipped: "skipped",
  ok: "ok",
};

/** For people: a line for each finding, below it what to do, and last how many there are. */
export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(...Object.values(signs).map((sign) => sign.length)) + 2;
  const indent = " ".repeat(width);
  const lines = findings.flatMap(({ level, object, what, remedy }) => [
    `${signs[level].padEnd(width)}${object}: ${what}`,
    ...(remedy === undefined ? [] : [`${indent}→ ${remedy}`]),
  ]);
  const counts = countLevels(findings);
  const words = levels.map((level) => `${counts[level]} ${level}`).join(", ");
  return [...lines, "", words];
}

export function countLevels(findings: readonly Finding[]): Record<Level, number> {
  const counts = { error: 0, warning: 0, skipped: 0, ok: 0 };
  for (const { level } of findings) counts[level]++;
  return counts;
}
