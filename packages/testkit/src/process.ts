import { until } from "./until.ts";

export interface ProcessOptions {
  readonly cmd: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ready when stdout matches; without it, at once. */
  readonly ready?: RegExp;
}

/** A child process of a test, with all that it has said. It is killed when the scope ends. */
export interface TestProcess extends AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<number>;
  isRunning(): boolean;
  stdout(): string;
  stderr(): string;
  /** What `ready` matched. */
  readonly readyMatch: RegExpExecArray | undefined;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/**
 * @throws Error with what the process said, when it ends before it is ready
 */
export async function startProcess(options: ProcessOptions): Promise<TestProcess> {
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...options.cmd], {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = new Said(child.stdout);
  const err = new Said(child.stderr);
  const stop = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    const code = await child.exited;
    await Promise.all([out.ended, err.ended]);
    return code;
  };
  const shown = () => `${options.cmd.join(" ")}\n${out.text}\n${err.text}`;
  let readyMatch: RegExpExecArray | undefined;
  const { ready } = options;
  if (ready !== undefined) {
    const isReady = () => {
      readyMatch = ready.exec(out.text) ?? undefined;
      return readyMatch !== undefined || child.exitCode !== null || child.signalCode !== null;
    };
    await until("the process is ready", isReady).catch(async (cause: unknown) => {
      await stop();
      throw new Error(`not ready: ${shown()}`, { cause });
    });
    if (readyMatch === undefined) {
      await Promise.all([out.ended, err.ended]);
      throw new Error(`ended with ${child.exitCode ?? child.signalCode} before ready: ${shown()}`);
    }
  }
  return {
    pid: child.pid,
    exited: child.exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stdout: () => out.text,
    stderr: () => err.text,
    readyMatch,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

/** Everything that a stream said so far. */
class Said {
  text = "";
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.text += decoder.decode(chunk, { stream: true });
  }
}
