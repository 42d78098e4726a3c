import {
  type ArgsDef,
  type CommandDef,
  defineCommand,
  type ParsedArgs,
  renderUsage,
  runCommand,
} from "citty";
import { softwareVersion } from "@dsm/protocol";
import { assertArgs } from "./strict-args.ts";

export type { ArgsDef };

/** What a command is given. */
export interface Context<T extends ArgsDef> {
  readonly args: ParsedArgs<T>;
  /** All positional arguments in order. */
  readonly positionals: readonly string[];
  /** Print JSON on stdout. */
  readonly json: boolean;
  /** Aborted at the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

interface Spec<T extends ArgsDef> {
  /**
   * A positional is needed unless it says `required: false`; the last one takes all that are left
   * if its name ends in `…`.
   */
  readonly args: T;
  /** It stops in order by itself when the signal is aborted, and that is a success. */
  readonly server?: boolean;
  /** Resolves to the exit code, 0 when it is undefined. */
  run(context: Context<T>): Promise<number | undefined>;
}

/** A command with the type of its arguments forgotten. */
export interface Command {
  readonly args: ArgsDef;
  readonly server: boolean;
  execute(title: string, rawArgs: string[], terms: Terms): Promise<number>;
}

type Terms = Pick<Context<ArgsDef>, "json" | "signal">;

/** A row of the table of commands; its module is loaded only when it is run. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load?: () => Promise<Command>;
  readonly subCommands?: readonly CommandEntry[];
}

const everyCommandArgs = {
  json: { type: "boolean", description: "Print JSON on stdout, and errors as JSON on stderr." },
  help: { type: "boolean", alias: "h", description: "Show this help." },
} as const satisfies ArgsDef;

/**
 * The only place that knows citty. It accepts unknown flags, surplus arguments and repeated
 * flags, runs the parent's `run` behind a subcommand's, drops return values and exits by itself:
 * so the arguments are checked before it sees them, and it only ever runs one command without
 * subcommands.
 */
export function command<const T extends ArgsDef>(spec: Spec<T>): Command {
  const args: ArgsDef = { ...spec.args, ...everyCommandArgs };
  return {
    args,
    server: spec.server ?? false,
    async execute(title, rawArgs, terms) {
      assertArgs(title, rawArgs, args);
      const definition = defineCommand<T>({
        args: args as T,
        run: ({ args: parsed }) =>
          spec.run({ ...terms, args: withNegations(parsed, args), positionals: parsed._ }),
      });
      const { result } = await runCommand(definition, { rawArgs });
      return typeof result === "number" ? result : 0;
    },
  };
}

/** citty reads `--no-wait` as `wait` that is false, also where a flag has that name. */
function withNegations<T extends object>(parsed: T, def: ArgsDef): T {
  const values = new Map<string, unknown>(Object.entries(parsed));
  const isMeant = (name: string) =>
    name.startsWith("no-") && values.get(name.slice("no-".length)) === false;
  const meant = Object.keys(def).filter(isMeant);
  return { ...parsed, ...Object.fromEntries(meant.map((name) => [name, true])) };
}

/** The text of `--help` for a command and what stands below it. */
export async function usageOf(
  parentTitle: string,
  entry: CommandEntry,
  loaded: Command | undefined,
): Promise<string> {
  const subCommands = entry.subCommands?.map((it): [string, CommandDef] => [
    it.name,
    { meta: { description: it.summary } },
  ]);
  const definition: CommandDef = {
    meta: { name: entry.name, description: entry.summary, version: softwareVersion },
    args: loaded?.args ?? everyCommandArgs,
    ...(subCommands === undefined ? {} : { subCommands: Object.fromEntries(subCommands) }),
  };
  const rendered = await renderUsage(definition, { meta: { name: parentTitle } });
  const usage = rendered.replaceAll(/ +$/gm, "");
  const colours = process.stdout.isTTY && !process.env["NO_COLOR"];
  return colours ? usage : Bun.stripANSI(usage);
}
