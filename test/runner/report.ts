/** What a test run came to. `skips` names each skipped test with its file. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};

function attribute(tag: string, name: string): string {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return value.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => entities[entity] ?? entity);
}

function describeCase(tag: string): string {
  const names = [attribute(tag, "classname"), attribute(tag, "name")];
  return `${attribute(tag, "file")}: ${names.filter((name) => name !== "").join(" > ")}`;
}

/**
 * Counts the test cases of a JUnit report as `bun test --reporter=junit` writes it. It lists the
 * cases one by one rather than trusting the totals, so that a report cut short counts as it is.
 */
export function countReport(junitXml: string): TestCounts {
  let passed = 0;
  let failed = 0;
  const skips: string[] = [];
  // A case is either one tag that closes itself or a pair round what went wrong.
  for (const match of junitXml.matchAll(
    /(<testcase\b(?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const [, tag = "", body = ""] = match;
    if (/<(?:failure|error)\b/.test(body)) failed += 1;
    else if (/<skipped\b/.test(body)) skips.push(describeCase(tag));
    else passed += 1;
  }
  return { passed, failed, skips };
}

/**
 * Errors outside of any test, such as a test file that cannot be loaded. The JUnit report leaves
 * them out, so they are read from the summary that `bun test` ends with.
 */
export function countErrors(consoleText: string): number {
  const lines = [...Bun.stripANSI(consoleText).matchAll(/^\s*(\d+) errors?$/gm)];
  return Number(lines.at(-1)?.[1] ?? 0);
}

/** The line that every run of the tests ends with: design, section 4.1. */
export function summaryLine(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
