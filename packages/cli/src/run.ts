import { nearest } from "@dsm/config";
import { softwareVersion } from "@dsm/protocol";
import { rootCommand } from "./commands/index.ts";
import { report } from "./report.ts";
import { stopOnSignals } from "./signals.ts";
import { ClosedPipe, say } from "./stdout.ts";
import { type Command, type CommandEntry, usageOf } from "./strict.ts";
import { usage } from "./strict-args.ts";

/** Runs one command line and resolves to the exit code. Errors are reported here. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const json = wantsJson(argv);
  const stop = stopOnSignals();
  try {
    return await dispatch("", rootCommand, [...argv], { json, signal: stop.signal });
  } catch (thrown) {
    // Whoever read our output has seen enough.
    if (thrown instanceof ClosedPipe) return 0;
    if (stop.signal.aborted) return stop.report();
    return report(thrown, json);
  }
}

interface Terms {
  readonly json: boolean;
  readonly signal: AbortSignal;
}

async function dispatch(
  parent: string,
  entry: CommandEntry,
  args: string[],
  terms: Terms,
): Promise<number> {
  const [word, ...rest] = args;
  const title = parent === "" ? entry.name : `${parent} ${entry.name}`;
  const sub = entry.subCommands?.find((it) => it.name === word);
  if (sub !== undefined) return dispatch(title, sub, rest, terms);
  const loaded = await entry.load?.();
  if (asksFor(args, ["--help", "-h"])) {
    await say(`${await usageOf(parent, entry, loaded)}\n`);
    return 0;
  }
  if (parent === "" && asksFor(args, ["--version", "-v"])) {
    await say(`${terms.json ? JSON.stringify({ version: softwareVersion }) : softwareVersion}\n`);
    return 0;
  }
  if (loaded === undefined) throw noSuchCommand(title, entry, word);
  return finishOrStop(loaded, title, args, terms);
}

/** How long a command may take to give up in order; a server takes the time it needs. */
const abortGraceMs = 2_000;

async function finishOrStop(
  loaded: Command,
  title: string,
  args: string[],
  terms: Terms,
): Promise<number> {
  const running = loaded.execute(title, args, terms);
  if (loaded.server) return running;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => {
    timer = setTimeout(() => reject(terms.signal.reason), abortGraceMs);
  };
  terms.signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([running, stopped]);
  } finally {
    clearTimeout(timer);
    terms.signal.removeEventListener("abort", onAbort);
  }
}

function noSuchCommand(title: string, entry: CommandEntry, word: string | undefined) {
  if (word === undefined) return usage(title, "a command is missing");
  if (word.startsWith("-")) return usage(title, `the flag ${word} is unknown here`);
  const guess = nearest(word, entry.subCommands?.map((it) => it.name) ?? []);
  return usage(title, `the command ${word} is unknown`, guess && `${title} ${guess}`);
}

function wantsJson(argv: readonly string[]): boolean {
  return asksFor(argv, ["--json"]);
}

/** Whether one of the flags stands before a `--`. */
function asksFor(args: readonly string[], flags: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).some((arg) => flags.includes(arg));
}
