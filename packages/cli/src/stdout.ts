import { DsmError, systemErrorCode } from "@dsm/protocol";

// A failed write is told to its writer; without these listeners it would end the process too.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

/** Whoever read our output has seen enough and left: no failure of ours. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/**
 * Resolves when the text or the bytes were taken, so that a slow reader holds us back.
 * @throws ClosedPipe, or DsmError STORAGE_FAILED when the output cannot be written, as on a full
 * disk
 */
export function say(chunk: string | Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(chunk, (error) => {
    if (error) reject(failure(error));
    else resolve();
  });
  return promise;
}

/**
 * Prints a result: the JSON on one line, or the lines for people. What a command does goes on
 * and its exit code stays, also when nobody listens any more.
 */
export async function sayResult(
  json: boolean,
  result: unknown,
  lines: readonly string[],
): Promise<void> {
  try {
    await say(resultText(json, result, lines));
  } catch (thrown) {
    if (!(thrown instanceof ClosedPipe)) throw thrown;
  }
}

export function resultText(json: boolean, result: unknown, lines: readonly string[]): string {
  if (json) return `${JSON.stringify(result)}\n`;
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function failure(error: Error): Error {
  const code = systemErrorCode(error);
  if (code === "EPIPE") return new ClosedPipe();
  return new DsmError("STORAGE_FAILED", `cannot write to standard output: ${code ?? error}`, {
    remedy: "look at where the output goes",
    cause: error,
  });
}
