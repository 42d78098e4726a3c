import { bunTest, type Outcome } from "./bun-test.ts";
import { summaryLine } from "./report.ts";

/**
 * What has the machine to itself: hosts in a box and a cluster in which everything fails are many
 * processes, and measure how long their clients wait.
 */
const alone = ["test/deployment", "test/chaos"] as const;

/** On more cores the tests of real parts would only fight. */
const shardsMax = 4;

/**
 * Everything: first in parts side by side, then what is to be alone. Each part has a network of its
 * own. In one network a client that still looks for a server that has ended meets another part's
 * server at the same port; where nobody may make networks, all runs one after the other.
 */
async function runAll(): Promise<Outcome[]> {
  const left = alone.map((folder) => `--path-ignore-patterns=${folder}/**`);
  const shards = canPart() ? Math.min(navigator.hardwareConcurrency, shardsMax) : 1;
  const running: Array<Promise<Outcome>> = [];
  for (let shard = 1; shard <= shards; shard++) {
    const args = [...left, `--shard=${shard}/${shards}`];
    const mayTalk = Promise.allSettled(running);
    running.push(bunTest({ args, apart: shards > 1, mayTalk }));
  }
  const outcomes = await Promise.all(running);
  return [...outcomes, await bunTest({ args: alone, apart: false, mayTalk: Promise.resolve() })];
}

function canPart(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("ip") === null) return false;
  if (Bun.which("unshare") === null) return false;
  return Bun.spawnSync(["unshare", "--net", "ip", "link", "set", "lo", "up"]).exitCode === 0;
}

/**
 * Runs the tests and resolves with the exit code for bin/test. A run that failed without saying
 * so in its report (a crash, no test found) counts as one failure.
 */
async function run(args: readonly string[]): Promise<number> {
  const requireAll = args.includes("--require-all");
  const rest = args.filter((arg) => arg !== "--require-all");
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const one = { args: rest, apart: false, mayTalk: Promise.resolve() };
  const outcomes = rest.length > 0 ? [await bunTest(one)] : await runAll();
  const faults = outcomes.flatMap(({ fault }) => fault ?? []);
  const skips = outcomes.flatMap((it) => it.skips);
  const passed = outcomes.reduce((sum, it) => sum + it.passed, 0);
  const failed = outcomes.reduce((sum, it) => sum + it.failed, faults.length);
  for (const fault of faults) say(fault);
  for (const skip of skips) say(`skipped: ${skip}`);
  const mayNotSkip = requireAll && skips.length > 0;
  if (mayNotSkip) say("--require-all: a skipped test is a failure");
  say(summaryLine(passed, failed, skips.length));
  return failed > 0 || mayNotSkip ? 1 : 0;
}

process.exitCode = await run(process.argv.slice(2));
