import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { countErrors, countReport, summaryLine, type TestCounts } from "./report.ts";

/** Console text kept for the summary at its end; the rest has been shown and is let go. */
const tailMaxChars = 64 * 1024;

/** Ends a test that hangs. Bun's 5 s are short where players and databases share two cores. */
const testTimeoutMs = 120_000;

/** Shows what the tests say as they say it, and resolves with the end of it. */
async function showAndKeepTail(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of stream) {
    await Bun.write(Bun.stderr, chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-tailMaxChars);
  }
  return tail;
}

/**
 * What has the machine to itself: hosts in a box and a cluster in which everything fails are many
 * processes, and measure how long their clients wait.
 */
const alone = ["test/deployment", "test/chaos"] as const;

/** Bun starts a process for each; on more cores the tests of real parts would only fight. */
const parallelMax = 4;

/** The arguments of each `bun test` that a run of everything is made of. */
function phases(): string[][] {
  const workers = Math.min(navigator.hardwareConcurrency, parallelMax);
  // All files of a worker share one global, as they do where there is but one process.
  const together = [`--parallel=${workers}`, "--no-isolate"];
  const left = alone.map((folder) => `--path-ignore-patterns=${folder}/**`);
  return [[...together, ...left], [...alone]];
}

interface Outcome extends TestCounts {
  /** Said where it failed without a failed test. */
  readonly fault: string | undefined;
}

/** One `bun test`. What failed outside of tests counts as failed. */
async function runOnce(args: readonly string[]): Promise<Outcome> {
  await using dir = await tempDir();
  const reportPath = join(dir.path, "junit.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${reportPath}`];
  const colour = process.stderr.isTTY ? { FORCE_COLOR: "1" } : {};
  const timeout = ["--timeout", `${testTimeoutMs}`];
  const child = Bun.spawn([process.execPath, "test", ...timeout, ...reporter, ...args], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    env: { ...process.env, ...colour },
  });
  const tail = await showAndKeepTail(child.stderr);
  const exitCode = await child.exited;

  const report = Bun.file(reportPath);
  const { passed, skips, ...counts } = countReport(
    (await report.exists()) ? await report.text() : "",
  );
  const failed = counts.failed + countErrors(tail);
  const ended = child.signalCode ?? `code ${exitCode}`;
  if (failed === 0 && exitCode !== 0) {
    return { passed, failed, skips, fault: `bun test ended with ${ended} and no failed test` };
  }
  const ranNone = failed + passed + skips.length === 0;
  return { passed, failed, skips, fault: ranNone ? "bun test ran no test" : undefined };
}

/**
 * Runs the tests and resolves with the exit code for bin/test. A run that failed without saying
 * so in its report (a crash, no test found) counts as one failure.
 */
async function run(args: readonly string[]): Promise<number> {
  const requireAll = args.includes("--require-all");
  const rest = args.filter((arg) => arg !== "--require-all");
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const total = { passed: 0, failed: 0, skips: [] as string[] };
  for (const phase of rest.length > 0 ? [rest] : phases()) {
    const { passed, failed, skips, fault } = await runOnce(phase);
    total.passed += passed;
    total.failed += fault === undefined ? failed : failed + 1;
    total.skips.push(...skips);
    if (fault !== undefined) say(fault);
  }
  for (const skip of total.skips) say(`skipped: ${skip}`);
  const mayNotSkip = requireAll && total.skips.length > 0;
  if (mayNotSkip) say("--require-all: a skipped test is a failure");
  say(summaryLine(total.passed, total.failed, total.skips.length));
  return total.failed > 0 || mayNotSkip ? 1 : 0;
}

process.exitCode = await run(process.argv.slice(2));
