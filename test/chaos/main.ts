import { parseArgs } from "node:util";
import { runChaos } from "./chaos.ts";
import { type Setting, settings } from "./catalog-server.ts";
import { reportOf } from "./report.ts";

const usage = `Usage: bun run chaos [--minutes N] [--seed S] [--catalog sqlite|mariadb]

Random operations of several clients on a cluster of real processes, while processes are killed,
disks run full, the catalog stops and connections break; then everything is checked.

  --minutes N    how long, from 0.1 to 10000 (Default: 5)
  --seed S       a whole number from 0 to 4294967295 (Default: a new one)
  --catalog C    sqlite or mariadb (Default: one after the other, half of the time each)
  --help         show this

Ctrl-C ends the run early; what was done by then is checked all the same. A second one ends at once.
Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.`;

interface Wanted {
  readonly minutes: number;
  readonly seed: number;
  readonly settings: readonly Setting[];
}

class UsageError extends Error {}

/** @returns undefined where only help is wanted; @throws UsageError */
function wantedOf(args: readonly string[]): Wanted | undefined {
  const { values } = parsed(args);
  if (values.help === true) return undefined;
  const { minutes = "5", seed = String(crypto.getRandomValues(new Uint32Array(1))[0]) } = values;
  return {
    minutes: number("--minutes", minutes, /^\d{1,5}(?:\.\d{1,3})?$/, [0.1, 10_000]),
    seed: number("--seed", seed, /^\d{1,10}$/, [0, 2 ** 32 - 1]),
    settings: values.catalog === undefined ? settings : [setting(values.catalog)],
  };
}

function parsed(args: readonly string[]) {
  try {
    const option = { type: "string" } as const;
    return parseArgs({
      args: [...args],
      options: { minutes: option, seed: option, catalog: option, help: { type: "boolean" } },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(why.replaceAll("\n", " "));
  }
}

function number(
  flag: string,
  text: string,
  pattern: RegExp,
  [low, high]: readonly [number, number],
): number {
  const value = pattern.test(text) ? Number(text) : NaN;
  if (value >= low && value <= high) return value;
  throw new UsageError(`${flag} must be a number from ${low} to ${high}, not ${text}`);
}

function setting(name: string): Setting {
  const known = settings.find((it) => it === name);
  if (known !== undefined) return known;
  throw new UsageError(`--catalog must be ${settings.join(" or ")}, not ${name}`);
}

/** The first Ctrl-C or SIGTERM ends the run early, the second at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("chaos: ending; what was done so far is checked\n");
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return controller.signal;
}

async function run({ minutes, seed, settings: wanted }: Wanted): Promise<number> {
  const signal = stopSignal();
  const durationMs = (minutes * 60_000) / wanted.length;
  let code = 0;
  for (const name of wanted) {
    if (signal.aborted && name !== wanted[0]) break;
    const options = { seed, setting: name, durationMs, signal };
    const result = await runChaos(options);
    process.stdout.write(`${reportOf(options, result)}\n`);
    if (result.figures.violations.length > 0) code = 1;
  }
  return code;
}

async function main(): Promise<number> {
  try {
    const wanted = wantedOf(process.argv.slice(2));
    if (wanted !== undefined) return await run(wanted);
    process.stdout.write(`${usage}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`chaos: ${error.message}; see bun run chaos --help\n`);
    return 2;
  }
}

process.exit(await main());
