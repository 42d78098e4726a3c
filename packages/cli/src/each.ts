import { DsmError } from "@dsm/protocol";
import { sayError } from "./report.ts";

/**
 * Does something for each item in turn. A failure is said and the rest goes on; the exit code is
 * that of the first failure.
 */
export async function forEach<T>(
  items: readonly T[],
  terms: { readonly json: boolean; readonly signal: AbortSignal },
  act: (item: T) => Promise<void>,
): Promise<{ failed: number; exit: number }> {
  let failed = 0;
  let exit = 0;
  for (const item of items) {
    terms.signal.throwIfAborted();
    try {
      // One after the other: a failure says which one, and a cluster is not flooded.
      await act(item);
    } catch (thrown) {
      terms.signal.throwIfAborted();
      // A fault of ours is reported as one, and not once per file.
      if (!(thrown instanceof DsmError)) throw thrown;
      sayError(thrown, terms.json);
      failed++;
      if (exit === 0) exit = thrown.exit;
    }
  }
  return { failed, exit };
}
