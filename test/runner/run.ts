import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { countErrors, countReport, summaryLine } from "./report.ts";

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
 * Runs `bun test` and resolves with the exit code for bin/test. A run that failed without saying
 * so in its report (a crash, no test found) counts as one failure.
 */
async function run(args: readonly string[]): Promise<number> {
  const requireAll = args.includes("--require-all");
  const rest = args.filter((arg) => arg !== "--require-all");
  await using dir = await tempDir();
  const reportPath = join(dir.path, "junit.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${reportPath}`];
  const colour = process.stderr.isTTY ? { FORCE_COLOR: "1" } : {};
  const timeout = ["--timeout", `${testTimeoutMs}`];
  const child = Bun.spawn([process.execPath, "test", ...timeout, ...reporter, ...rest], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    env: { ...process.env, ...colour },
  });
  const tail = await showAndKeepTail(child.stderr);
  const exitCode = await child.exited;

  const report = Bun.file(reportPath);
  const counts = countReport((await report.exists()) ? await report.text() : "");
  let failed = counts.failed + countErrors(tail);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (failed === 0 && exitCode !== 0) {
    say(`bun test ended with ${child.signalCode ?? `code ${exitCode}`} and no failed test`);
    failed = 1;
  } else if (failed === 0 && counts.passed + counts.skips.length === 0) {
    say("bun test ran no test");
    failed = 1;
  }
  for (const skip of counts.skips) say(`skipped: ${skip}`);
  const mayNotSkip = requireAll && counts.skips.length > 0;
  if (mayNotSkip) say("--require-all: a skipped test is a failure");
  say(summaryLine(counts.passed, failed, counts.skips.length));
  return failed > 0 || mayNotSkip ? 1 : 0;
}

process.exitCode = await run(process.argv.slice(2));
