import { join } from "node:path";

/** The command line of the dsm of this checkout. */
export const dsmCommand = [process.execPath, join(import.meta.dir, "../main.ts")] as const;

type Stdin = "ignore" | "pipe" | Blob;

export interface DsmOptions<In extends Stdin = Stdin> {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing unless given. */
  readonly stdin?: In;
}

/** The environment of this process without what would steer dsm, so that tests are repeatable. */
function cleanEnv(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("DSM_") && name !== "CI"),
  );
}

/** A dsm that runs, killed when the scope ends. */
export function spawnDsm<In extends Stdin = "ignore">(
  args: readonly string[],
  { cwd, env, stdin }: DsmOptions<In> = {},
): Bun.Subprocess<In | "ignore", "pipe", "pipe"> {
  return Bun.spawn([...dsmCommand, ...args], {
    cwd: cwd ?? import.meta.dir,
    env: { ...cleanEnv(), ...env },
    stdin: stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

export interface DsmResult {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export async function dsm(args: readonly string[], options: DsmOptions = {}): Promise<DsmResult> {
  await using child = spawnDsm(args, options);
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exit: await child.exited, out, err };
}

/** Reads lines of a stream one by one. */
export class Lines {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** @throws Error with the rest when the stream ends before the line does */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { done, value } = await this.#chunks.next();
      if (done === true) throw new Error(`the stream ended with ${JSON.stringify(this.#text)}`);
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }
}
