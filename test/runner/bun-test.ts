import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { countErrors, countReport, type TestCounts } from "./report.ts";

/** Console text kept for the summary at its end; the rest has been shown and is let go. */
const tailMaxChars = 64 * 1024;

/** Ends a test that hangs. Bun's 5 s are short where players and databases share two cores. */
const testTimeoutMs = 120_000;

export interface Outcome extends TestCounts {
  /** Said where it failed without a failed test. */
  readonly fault: string | undefined;
}

interface BunTest {
  readonly args: readonly string[];
  /** In a network of its own, so that no other run can meet one of its ports. */
  readonly apart: boolean;
  /** What it says is kept until this settles: two that speak at a time cannot be read. */
  readonly mayTalk: Promise<unknown>;
}

/** One `bun test`. What failed outside of tests counts as failed. */
export async function bunTest({ args, apart, mayTalk }: BunTest): Promise<Outcome> {
  await using dir = await tempDir();
  const reportPath = join(dir.path, "junit.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${reportPath}`];
  const colour = process.stderr.isTTY ? { FORCE_COLOR: "1" } : {};
  const own = [process.execPath, "test", "--timeout", `${testTimeoutMs}`, ...reporter, ...args];
  // What the tests print belongs between what is said of them.
  const script = `${apart ? "ip link set lo up && " : ""}exec "$@" 2>&1`;
  const cmd = [...(apart ? ["unshare", "--net"] : []), "sh", "-c", script, "sh", ...own];
  const child = Bun.spawn(cmd, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, ...colour },
  });
  const tail = await showAndKeepTail(child.stdout, mayTalk);
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

/** Shows what the tests say as they say it, once they may, and resolves with the end of it. */
async function showAndKeepTail(
  stream: ReadableStream<Uint8Array>,
  mayTalk: Promise<unknown>,
): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  let kept: Uint8Array[] | undefined = [];
  const talks = mayTalk.then(async () => {
    for (const chunk of kept ?? []) await Bun.write(Bun.stderr, chunk);
    kept = undefined;
  });
  for await (const chunk of stream) {
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-tailMaxChars);
    if (kept === undefined) await Bun.write(Bun.stderr, chunk);
    else kept.push(chunk);
  }
  await talks;
  return tail;
}
