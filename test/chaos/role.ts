import { resolve } from "node:path";
import { startProcess, type TestProcess, until } from "@dsm/testkit";

const dsm = resolve(import.meta.dir, "../../bin/dsm");
const startTimeoutMs = 60_000;

export interface RoleOptions {
  /** What it is called in the figures and violations, as `storage s1`. */
  readonly name: string;
  readonly args: readonly string[];
  readonly listenFlag: "--listen" | "--http";
  readonly env: Readonly<Record<string, string>>;
  /** Told when a process ended and nobody had ended it. */
  readonly onDied: (role: Role, code: number) => void;
}

/** One role as its own process, which may die and comes back on the port that it had. */
export class Role implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #options: RoleOptions;
  /** What processes of this role that have ended said. */
  #said = "";
  #process: TestProcess | undefined;
  /** The process whose end is wanted. */
  #ending: TestProcess | undefined;

  constructor(options: RoleOptions) {
    this.name = options.name;
    this.port = freePort();
    this.#options = options;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** Everything that it ever said on stderr. */
  get log(): string {
    return this.#said + (this.#process?.stderr() ?? "");
  }

  /**
   * Starts it, and again while it cannot: somebody's connection may have its port for a moment, or
   * the catalog may be down.
   * @throws Error with what it said, when it does not start within 60 s
   */
  async start(): Promise<void> {
    const { args, listenFlag, env, name } = this.#options;
    // In a group of its own, so that Ctrl-C in a terminal does not reach it.
    const cmd = ["setsid", dsm, ...args, listenFlag, this.endpoint, "--json"];
    let failure: unknown;
    const start = (): Promise<TestProcess | undefined> =>
      startProcess({ cmd, env, ready: /"ready":true/ }).catch((error: unknown) => {
        failure = error;
        return undefined;
      });
    const started = await until(`${name} starts`, start, startTimeoutMs).catch((cause: unknown) => {
      throw new Error(`${name} does not start: ${String(failure)}`, { cause });
    });
    this.#process = started;
    void started.exited.then((code) => {
      if (this.#ending !== started) this.#options.onDied(this, code);
    });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** As an operator stops it. @returns the exit code */
  terminate(): Promise<number | undefined> {
    return this.#end("SIGTERM");
  }

  /** The process does nothing and keeps its connections, until `resume`. */
  pause(): void {
    if (this.#process !== undefined) process.kill(this.#process.pid, "SIGSTOP");
  }

  resume(): void {
    if (this.#process !== undefined) process.kill(this.#process.pid, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #end(signal: NodeJS.Signals): Promise<number | undefined> {
    const ending = this.#process;
    if (ending === undefined) return undefined;
    this.#process = undefined;
    this.#ending = ending;
    const code = await ending.stop(signal);
    this.#said += ending.stderr();
    return code;
  }
}

/** A role that comes back must find its port again, so it cannot be 0. */
function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}
